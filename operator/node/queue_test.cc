#include "operator/node/queue.h"

#include <gtest/gtest.h>

namespace kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr auto kCluster = Key::Sort::kCluster;
constexpr auto kTopic = Key::Sort::kTopic;

class QueueTest : public testing::Test {
 protected:
  base::Instant at(milliseconds since) const { return base::Instant(seconds(1)) + since; }
  const base::Instant now = at(milliseconds(0));
  const Key a{kCluster, "n", "a"};
  const Key b{kCluster, "n", "b"};
  Queue queue{base::Random(1)};
};

// Goal: a key that is added often is there once; sorts do not take each other's.
TEST_F(QueueTest, HoldsEachKeyOnce) {
  for (int i = 0; i < 3; ++i) queue.add(a, now);
  EXPECT_EQ(queue.waiting(kCluster), 1u);
  EXPECT_EQ(queue.take(kTopic, now), std::nullopt);
  EXPECT_EQ(queue.take(kCluster, now), a);
  EXPECT_EQ(queue.take(kCluster, now), std::nullopt);
}

// Goal: nobody gets a key that is worked on; one that changed meanwhile comes again afterwards.
TEST_F(QueueTest, ComesAgainWhenItChangedMeanwhile) {
  queue.add(a, now);
  ASSERT_EQ(queue.take(kCluster, now), a);
  queue.add(a, now);
  EXPECT_EQ(queue.take(kCluster, now), std::nullopt);
  queue.done(a, now);
  EXPECT_EQ(queue.take(kCluster, now), a);
  queue.done(a, now);
  EXPECT_EQ(queue.take(kCluster, now), std::nullopt);
  EXPECT_EQ(queue.working(), 0u);
}

// Goal: the earlier of two times counts; order is that of times, then of adding.
TEST_F(QueueTest, TakesInOrderOfTime) {
  queue.add_at(a, at(milliseconds(50)));
  queue.add_at(b, at(milliseconds(20)));
  queue.add_at(b, at(milliseconds(90)));
  EXPECT_EQ(queue.next(kCluster), at(milliseconds(20)));
  EXPECT_EQ(queue.take(kCluster, at(milliseconds(19))), std::nullopt);
  queue.add_at(a, at(milliseconds(10)));
  EXPECT_EQ(queue.take(kCluster, at(milliseconds(30))), a);
  EXPECT_EQ(queue.take(kCluster, at(milliseconds(30))), b);
  EXPECT_EQ(queue.next(kCluster), std::nullopt);
}

// Goal: what fails waits twice as long each time, up to the bound, with jitter; success forgets.
TEST_F(QueueTest, BacksOffWhatFails) {
  base::Instant clock = now;
  base::Duration last{};
  for (int i = 0; i < 12; ++i) {
    queue.add(a, clock);
    ASSERT_EQ(queue.take(kCluster, clock), a);
    queue.retry(a, clock);
    queue.done(a, clock);
    const base::Duration wait = *queue.next(kCluster) - clock;
    EXPECT_GE(wait, std::min<base::Duration>(milliseconds(100) * (1 << i), seconds(30)));
    EXPECT_LE(wait, seconds(38));
    EXPECT_GE(wait + seconds(8), last);
    last = wait;
    clock += wait;
  }
  EXPECT_EQ(queue.failures(a), 12);
  queue.forget(a);
  ASSERT_EQ(queue.take(kCluster, clock), a);
  queue.retry(a, clock);
  queue.done(a, clock);
  EXPECT_LT(*queue.next(kCluster) - clock, milliseconds(130));
}

// Goal: an event brings a key back that waits for its next attempt.
TEST_F(QueueTest, EventCutsTheWaitShort) {
  queue.add_at(a, now + seconds(30));
  queue.add(a, now);
  EXPECT_EQ(queue.take(kCluster, now), a);
}

}  // namespace
}  // namespace kube
