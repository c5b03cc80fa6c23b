#include "controller/cluster/random_cluster.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <tuple>

namespace controller::cluster {
namespace {

// Goal: no order of events breaks what must always hold. Method: random events; a failure shrinks.
RC_GTEST_PROP(RandomClusterTest, HoldsWhateverHappens, ()) {
  const auto byte = rc::gen::inRange(0, 256);
  const auto count = *rc::gen::inRange<std::size_t>(0, 300);
  const auto numbers = *rc::gen::container<std::vector<std::tuple<int, int, int, int>>>(
      count, rc::gen::tuple(byte, byte, byte, byte));
  std::vector<RandomEvent> events;
  for (const auto& [kind, a, b, c] : numbers) {
    events.push_back({static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(a),
                      static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(c)});
  }
  const auto violation = RandomCluster::run(events);
  if (violation) RC_FAIL(*violation);
}

// Goal: the same over long lives, in which everything does happen.
TEST(RandomClusterTest, LongLives) {
  RandomCluster::Counts all;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    base::Random random(seed);
    RandomCluster cluster;
    int at = 0;
    for (const RandomEvent& event : random_events(random, 600)) {
      const auto violation = cluster.step(event);
      ASSERT_FALSE(violation.has_value()) << *violation << ", seed " << seed << ", event " << at;
      ++at;
    }
    all.elections += cluster.counts().elections;
    all.joins += cluster.counts().joins;
    all.refusals += cluster.counts().refusals;
    all.eligible += cluster.counts().eligible;
    all.reassigned += cluster.counts().reassigned;
  }
  EXPECT_GT(all.elections, 1000);
  EXPECT_GT(all.joins, 300);
  EXPECT_GT(all.refusals, 300);
  EXPECT_GT(all.eligible, 10);
  EXPECT_GT(all.reassigned, 300);
}

}  // namespace
}  // namespace controller::cluster
