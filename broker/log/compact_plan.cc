#include "broker/log/compact_plan.h"

#include <algorithm>

namespace broker {
namespace {

// Segments with records that are too young stay out of it.
base::Offset uncleanable_from(std::span<const SegmentFacts> segments, base::Offset start,
                              base::Offset stable, base::WallMs now, std::int64_t min_lag_ms) {
  base::Offset end = segments.empty() ? start : segments.back().end;
  end = std::min(end, stable);
  if (min_lag_ms <= 0) return end;
  for (const SegmentFacts& segment : segments) {
    if (segment.end <= start || segment.largest_timestamp <= now - min_lag_ms) continue;
    return std::min(end, segment.base);
  }
  return end;
}

std::int64_t overdue(std::span<const SegmentFacts> segments, const DirtyRange& dirty,
                     base::WallMs now, std::int64_t max_lag_ms) {
  base::WallMs oldest = std::numeric_limits<base::WallMs>::max();
  for (const SegmentFacts& segment : segments) {
    if (segment.end <= dirty.start || segment.base >= dirty.end) continue;
    if (segment.first_timestamp >= 0) oldest = std::min(oldest, segment.first_timestamp);
  }
  if (oldest >= now) return 0;
  return std::max<std::int64_t>(0, now - oldest - max_lag_ms);
}

}  // namespace

DirtyRange find_dirty(std::span<const SegmentFacts> segments, base::Offset log_start,
                      std::optional<base::Offset> checkpoint, base::Offset stable, base::WallMs now,
                      const CompactLimits& limits) {
  DirtyRange dirty;
  const base::Offset last = segments.empty() ? log_start : segments.back().end;
  const bool usable = checkpoint && *checkpoint >= log_start && *checkpoint <= last;
  dirty.start = usable ? *checkpoint : log_start;
  dirty.end = std::max(dirty.start,
                       uncleanable_from(segments, dirty.start, stable, now, limits.min_lag_ms));
  for (const SegmentFacts& segment : segments) {
    if (segment.end <= log_start || segment.base >= dirty.end) continue;
    if (segment.end <= dirty.start) {
      dirty.clean_bytes += segment.size;
    } else {
      dirty.dirty_bytes += segment.size;
    }
  }
  if (dirty.start >= dirty.end || dirty.dirty_bytes == 0) {
    dirty.dirty_bytes = 0;
    return dirty;
  }
  dirty.ratio = static_cast<double>(dirty.dirty_bytes) /
                static_cast<double>(dirty.clean_bytes + dirty.dirty_bytes);
  if (limits.max_lag_ms < std::numeric_limits<std::int64_t>::max()) {
    dirty.overdue_ms = overdue(segments, dirty, now, limits.max_lag_ms);
  }
  dirty.wanted = dirty.ratio > limits.dirty_ratio_min || dirty.overdue_ms > 0;
  return dirty;
}

std::vector<SegmentGroup> group_segments(std::span<const SegmentFacts> segments, base::Offset end,
                                         std::uint64_t bytes_max, std::size_t count_max) {
  std::vector<SegmentGroup> groups;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < segments.size() && segments[i].base < end; ++i) {
    const bool joins = !groups.empty() && bytes + segments[i].size <= bytes_max &&
                       i - groups.back().first < count_max &&
                       segments[i].end - segments[groups.back().first].base <= INT32_MAX;
    if (!joins) {
      groups.push_back({i, i});
      bytes = 0;
    }
    bytes += segments[i].size;
    groups.back().end = i + 1;
  }
  return groups;
}

}  // namespace broker
