#include <gtest/gtest.h>

#include "tests/sim/cluster/workloads.h"

namespace sim {
namespace {

// Goal: a replicated cluster keeps what it acknowledged whatever fails, and heals. Method: seeds of
// the whole-cluster workload, each twice: the second run must be the same event for event.
TEST(ClusterSimulation, KeepsItsPromises) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    World world(seed);
    run_cluster(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
    if (seed > 1) continue;
    World again(seed);
    run_cluster(again);
    EXPECT_EQ(again.digest(), world.digest());
  }
}

// Goal: what a coordinator confirmed is known to whoever comes after it, also when all brokers
// ended at once and the first to come back leads alone for a while.
TEST(ClusterSimulation, CoordinatorsForgetNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    run_coordinators(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
  }
}

// Goal: throttled copies neither hurt who is in sync nor keep moves from ending. Method: seeds of
// the workload of that name.
TEST(ClusterSimulation, ThrottlesOnlyWhoIsNotInSync) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    World world(seed);
    run_throttled(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
  }
}

// Goal: replicas that the controller moves of its own accord are not lost, and it comes to an end.
// Method: seeds of the workload of that name.
TEST(ClusterSimulation, BalancesBetweenFaults) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    run_balance(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
  }
}

// Goal: a partition of one replica goes on while it moves, and loses nothing by it, as in Apache
// Kafka: the leader is the only one in sync until the other has caught up. Method: seeds of the
// workload of that name.
TEST(ClusterSimulation, MovesTheOnlyReplica) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    World world(seed);
    run_lone_moves(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
  }
}

// Goal: whoever loses a leader hears of the next one when it asks, not a second later. Method:
// seeds of the workload of that name.
TEST(ClusterSimulation, TellsOfTheNextLeader) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(seed);
    run_lost_leader(world);
    ASSERT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
  }
}

}  // namespace
}  // namespace sim
