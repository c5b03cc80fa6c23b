// A partition's name and that of its directory: <topic>-<partition>.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/random.h"

namespace broker {

struct PartitionName {
  std::string topic;
  std::int32_t partition = 0;

  friend auto operator<=>(const PartitionName&, const PartitionName&) = default;

  std::string to_string() const { return topic + "-" + std::to_string(partition); }
  // Nothing when the text is no such name (leftovers of deletes, files of the directory itself).
  static std::optional<PartitionName> parse(std::string_view directory_name);
};

// 32 digits, for names that must not be there yet.
std::string random_hex(base::Random& random);

}  // namespace broker
