#include "broker/log/compact_plan.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

using base::Offset;

// Four segments of 100 offsets and 10 bytes each; their records are 1000 ms apart.
std::vector<SegmentFacts> four() {
  std::vector<SegmentFacts> facts;
  for (int i = 0; i < 4; ++i) {
    facts.push_back({.base = Offset(i * 100),
                     .end = Offset((i + 1) * 100),
                     .size = 10,
                     .largest_timestamp = (i + 1) * 1000 - 1,
                     .first_timestamp = i * 1000});
  }
  return facts;
}

// Goal: what is dirty is what lies between the checkpoint and the stable end, in whole segments.
// Method: a table of checkpoints, stable ends and lags.
TEST(CompactPlan, DirtyRange) {
  struct Row {
    const char* what;
    std::optional<Offset> checkpoint;
    std::int64_t log_start, stable;
    CompactLimits limits;
    std::int64_t start, end;
    double ratio;
    bool wanted;
  };
  const CompactLimits half{};
  const Row rows[] = {
      {"never compacted", {}, 0, 1000, half, 0, 400, 1, true},
      {"half is clean", Offset(200), 0, 1000, half, 200, 400, 0.5, false},
      {"a lower mark", Offset(200), 0, 1000, {.dirty_ratio_min = 0.4}, 200, 400, 0.5, true},
      {"all is clean", Offset(400), 0, 1000, half, 400, 400, 0, false},
      {"below the stable end only", Offset(0), 0, 150, half, 0, 150, 1, true},
      {"nothing is stable", Offset(100), 0, 100, half, 100, 100, 0, false},
      {"checkpoint below the start", Offset(10), 100, 1000, half, 100, 400, 1, true},
      {"checkpoint behind the end", Offset(900), 0, 1000, half, 0, 400, 1, true},
      {"too young", Offset(0), 0, 1000, {.min_lag_ms = 3000}, 0, 200, 1, true},
      {"all too young", Offset(0), 0, 1000, {.min_lag_ms = 9000}, 0, 0, 0, false},
      {"overdue", Offset(200), 0, 1000, {.max_lag_ms = 2000}, 200, 400, 0.5, true},
      {"not yet overdue", Offset(200), 0, 1000, {.max_lag_ms = 3000}, 200, 400, 0.5, false},
  };
  for (const Row& row : rows) {
    const DirtyRange dirty = find_dirty(four(), Offset(row.log_start), row.checkpoint,
                                        Offset(row.stable), 5000, row.limits);
    EXPECT_EQ(dirty.start, Offset(row.start)) << row.what;
    EXPECT_EQ(dirty.end, Offset(row.end)) << row.what;
    EXPECT_DOUBLE_EQ(dirty.ratio, row.ratio) << row.what;
    EXPECT_EQ(dirty.wanted, row.wanted) << row.what;
  }
  EXPECT_FALSE(find_dirty({}, Offset(7), {}, Offset(9), 0, half).wanted);
}

// Goal: groups are consecutive, as large as allowed, and never too far from end to end. Method: the
// four segments with several bounds, and one that lies 2^31 offsets away.
TEST(CompactPlan, Groups) {
  using Groups = std::vector<SegmentGroup>;
  EXPECT_EQ(group_segments(four(), Offset(400), 100, 10), (Groups{{0, 4}}));
  EXPECT_EQ(group_segments(four(), Offset(400), 20, 10), (Groups{{0, 2}, {2, 4}}));
  EXPECT_EQ(group_segments(four(), Offset(400), 5, 10), (Groups{{0, 1}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_EQ(group_segments(four(), Offset(400), 100, 3), (Groups{{0, 3}, {3, 4}}));
  EXPECT_EQ(group_segments(four(), Offset(201), 100, 10), (Groups{{0, 3}}));
  auto far = four();
  far[3].end = Offset(std::int64_t{1} << 31);
  EXPECT_EQ(group_segments(far, Offset(400), 100, 10), (Groups{{0, 3}, {3, 4}}));
}

}  // namespace
}  // namespace broker
