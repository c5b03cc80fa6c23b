// What of a log compaction should look at, and in which pieces: Kafka's rules. Pure.
//
//   start ────── clean ────── dirty.start ────── dirty.end ── stable end, active segment ── end
//        one record a key            to be compacted            left alone
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace broker {

// One segment below the active one.
struct SegmentFacts {
  base::Offset base;
  base::Offset end;  // base of the next one
  std::uint64_t size = 0;
  base::WallMs largest_timestamp = -1;  // used with min_lag_ms
  base::WallMs first_timestamp = -1;    // used with max_lag_ms; -1: not known
};

struct CompactLimits {
  double dirty_ratio_min = 0.5;  // min.cleanable.dirty.ratio
  std::int64_t min_lag_ms = 0;   // min.compaction.lag.ms
  std::int64_t max_lag_ms = std::numeric_limits<std::int64_t>::max();
};

struct DirtyRange {
  base::Offset start{0};
  base::Offset end{0};
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;  // of whole segments in the range
  double ratio = 0;               // dirty / (clean + dirty); 0 when nothing is
  std::int64_t overdue_ms = 0;    // beyond max_lag_ms: to be compacted whatever the ratio
  bool wanted = false;            // dirty enough, or overdue
};

// `checkpoint`: where the round before ended; one outside of the log says nothing. `stable`: no
// transaction is open below. Segments rise.
DirtyRange find_dirty(std::span<const SegmentFacts> segments, base::Offset log_start,
                      std::optional<base::Offset> checkpoint, base::Offset stable, base::WallMs now,
                      const CompactLimits& limits);

// Consecutive segments that become one: [first, end) of `segments`.
struct SegmentGroup {
  std::size_t first = 0;
  std::size_t end = 0;
  friend bool operator==(const SegmentGroup&, const SegmentGroup&) = default;
};
// Groups of all segments that begin below `end`, none larger than `bytes_max` unless it is a single
// segment. Offsets of a group fit 31 bits relative to its base.
std::vector<SegmentGroup> group_segments(std::span<const SegmentFacts> segments, base::Offset end,
                                         std::uint64_t bytes_max, std::size_t count_max);

}  // namespace broker
