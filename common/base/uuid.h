// 128-bit identifiers as Kafka has them: topic ids, cluster ids, directory ids. Printed in URL-safe
// base64 without padding (22 characters).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/random.h"

namespace base {

struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  constexpr bool is_zero() const { return high == 0 && low == 0; }
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;

  // A random version-4 UUID whose text never starts with '-', as command lines would read that as
  // an option (Kafka keeps the same rule).
  static Uuid random(Random& random);
  static std::optional<Uuid> parse(std::string_view text);
  std::string to_string() const;
};

}  // namespace base
