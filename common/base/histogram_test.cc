#include "common/base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/base/random.h"

namespace base {
namespace {

// Goal: buckets cover every value once, in order. Method: each bucket's bounds, and random values.
TEST(Histogram, BucketsHaveNoGaps) {
  for (std::size_t i = 0; i + 1 < Histogram::kBuckets; ++i) {
    EXPECT_EQ(Histogram::index_of(Histogram::last_of(i)), i);
    EXPECT_EQ(Histogram::index_of(Histogram::last_of(i) + 1), i + 1);
  }
  EXPECT_EQ(Histogram::last_of(Histogram::kBuckets - 1), Histogram::kMax);
  EXPECT_EQ(Histogram::index_of(~0ULL), Histogram::kBuckets - 1);
}

// Goal: a quantile is at most an eighth above the truth and never below it. Method: random values
// of all sizes against a sorted vector.
TEST(Histogram, QuantilesAreClose) {
  Random random(1);
  Histogram one;
  Histogram two;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random.next() >> (28 + random.below(36));
    values.push_back(value);
    (i % 2 == 0 ? one : two).record(value);
  }
  std::ranges::sort(values);
  HistogramSnapshot both = one.snapshot();
  both += two.snapshot();
  EXPECT_EQ(both.count, values.size());
  for (const double fraction : {0.0, 0.5, 0.9, 0.99, 0.999}) {
    const auto truth = values[static_cast<std::size_t>(fraction * 10'000)];
    EXPECT_GE(both.quantile(fraction), truth);
    EXPECT_LE(both.quantile(fraction), truth + truth / 8 + 1);
  }
  EXPECT_EQ(HistogramSnapshot{}.quantile(0.5), 0u);
}

}  // namespace
}  // namespace base
