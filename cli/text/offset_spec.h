// Where a reader starts, in kcat's words. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/time.h"

namespace cli {

struct OffsetSpec {
  enum class Kind {
    kBeginning,  // beginning, earliest, start
    kEnd,        // end, latest
    kStored,     // stored, committed: the group's
    kAbsolute,   // N
    kFromEnd,    // -N: that many before the end
    kTimestamp,  // s@WHEN: the first record not older
    kUntil,      // e@WHEN: stop before the first record not older
  };
  Kind kind = Kind::kBeginning;
  std::int64_t value = 0;  // offset, count or milliseconds since 1970, by kind

  friend bool operator==(const OffsetSpec&, const OffsetSpec&) = default;
};

// WHEN as parse_when() reads it. Nothing when `text` is none of the words.
std::optional<OffsetSpec> parse_offset_spec(std::string_view text, base::WallMs now);

}  // namespace cli
