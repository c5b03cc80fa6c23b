#include "broker/replica/rate_quota.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/random.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

base::Instant at(base::Duration span) { return base::Instant{} + seconds(1000) + span; }

// Goal: without a bound nothing is held back.
// Method: much at once.
TEST(RateQuota, PassesEverythingWithoutBound) {
  RateQuota quota;
  quota.record(1'000'000'000, at(seconds(0)));
  EXPECT_EQ(quota.left(at(seconds(0))), INT64_MAX);
  EXPECT_EQ(quota.wait(at(seconds(0))), base::Duration::zero());
}

// Goal: one window's worth passes at once; what was too much is waited for, and after wait() some
// may pass.
// Method: 3,000 bytes at once at 1,000 a second.
TEST(RateQuota, WaitsForWhatWasTooMuch) {
  RateQuota quota;
  quota.set_bound(1000);
  EXPECT_EQ(quota.left(at(seconds(0))), 1000);
  quota.record(3000, at(seconds(0)));
  EXPECT_EQ(quota.left(at(seconds(0))), -2000);
  EXPECT_EQ(quota.wait(at(seconds(0))), RateQuota::kWindow);
  EXPECT_LE(quota.left(at(seconds(3))), 0);
  const base::Instant soon = at(milliseconds(2900));
  EXPECT_GT(quota.left(soon + quota.wait(soon)), 0);
  EXPECT_EQ(quota.wait(at(milliseconds(3100))), base::Duration::zero());
}

// Goal: a pause is not saved up: after it one window's worth passes.
// Method: a minute without a byte.
TEST(RateQuota, ForgetsPauses) {
  RateQuota quota;
  quota.set_bound(1000);
  quota.record(500, at(seconds(0)));
  EXPECT_EQ(quota.left(at(seconds(60))), 1000);
}

// Goal: nothing passes at a bound of 0, and a bound that changes counts at once.
// Method: both, with bytes on record.
TEST(RateQuota, TakesAnotherBoundAtOnce) {
  RateQuota quota;
  quota.set_bound(0);
  EXPECT_LE(quota.left(at(seconds(0))), 0);
  EXPECT_EQ(quota.wait(at(seconds(0))), RateQuota::kWindow);
  quota.record(1000, at(seconds(0)));
  quota.set_bound(2000);
  EXPECT_EQ(quota.left(at(seconds(0))), 1000);
  quota.set_bound(std::nullopt);
  EXPECT_EQ(quota.left(at(seconds(0))), INT64_MAX);
}

// Goal: over any length of time the bound holds, but for the largest piece, and is made use of.
// Method: random pieces whenever they may pass, random bounds.
TEST(RateQuota, KeepsTheRateUnderLoad) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    base::Random random(seed);
    const std::int64_t bound = random.between(1000, 50'000'000);
    const std::int64_t piece_max = random.between(1, 4) * bound;
    RateQuota quota;
    quota.set_bound(bound);
    base::Instant now = at(seconds(0));
    std::int64_t passed = 0;
    while (now < at(seconds(60))) {
      if (quota.left(now) > 0) {
        const std::int64_t piece = random.between(1, piece_max);
        quota.record(piece, now);
        passed += piece;
      }
      now += std::max<base::Duration>(quota.wait(now), milliseconds(random.between(1, 50)));
    }
    EXPECT_LE(passed, 62 * bound + 6 * piece_max) << "seed " << seed;
    EXPECT_GE(passed, 45 * bound) << "seed " << seed;
  }
}

}  // namespace
}  // namespace broker
