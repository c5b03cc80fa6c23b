#include <gtest/gtest.h>

#include "tests/sim/cluster/workloads.h"

namespace sim {
namespace {

// The seeds from 1 on, of which none may fail. Returns the digest of the first.
std::uint64_t run_seeds(void (*workload)(World&), std::uint64_t count) {
  std::uint64_t digest = 0;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    World world(seed);
    workload(world);
    EXPECT_EQ(world.verdict(), Verdict::kGood) << "seed " << seed << ": " << world.why();
    if (world.failed()) break;
    if (seed == 1) digest = world.digest();
  }
  return digest;
}

// Goal: a replicated cluster keeps what it acknowledged whatever fails, and heals. Method: seeds of
// the whole-cluster workload, one of them twice: that run must be the same event for event.
TEST(ClusterSimulation, KeepsItsPromises) {
  const std::uint64_t digest = run_seeds(run_cluster, 6);
  EXPECT_EQ(run_seeds(run_cluster, 1), digest);
}

// Goal: what a coordinator confirmed is known to whoever comes after it, also when all brokers
// ended at once and the first to come back leads alone for a while.
TEST(ClusterSimulation, CoordinatorsForgetNothing) { run_seeds(run_coordinators, 12); }

// Goal: throttled copies neither hurt who is in sync nor keep moves from ending. Method: seeds of
// the workload of that name.
TEST(ClusterSimulation, ThrottlesOnlyWhoIsNotInSync) { run_seeds(run_throttled, 3); }

// Goal: replicas that the controller moves of its own accord are not lost, and it comes to an end.
// Method: seeds of the workload of that name.
TEST(ClusterSimulation, BalancesBetweenFaults) { run_seeds(run_balance, 10); }

// Goal: a partition of one replica goes on while it moves, and loses nothing by it, as in Apache
// Kafka: the leader is the only one in sync until the other has caught up. Method: seeds of the
// workload of that name.
TEST(ClusterSimulation, MovesTheOnlyReplica) { run_seeds(run_lone_moves, 3); }

// Goal: whoever loses a leader hears of the next one when it asks, not a second later. Method:
// seeds of the workload of that name.
TEST(ClusterSimulation, TellsOfTheNextLeader) { run_seeds(run_lost_leader, 5); }

// Goal: whoever waits for a leader that fell silent hears of the next one, and nobody else is hurt
// by that. Method: seeds of the workload of that name.
TEST(ClusterSimulation, TellsOfASilentLeader) { run_seeds(run_silent_leader, 5); }

// Goal: a bit that flips on one broker's disk while it is down costs no record and is shown to
// nobody. Method: seeds of the workload of that name.
TEST(ClusterSimulation, SurvivesFlippedBits) { run_seeds(run_rot, 8); }

}  // namespace
}  // namespace sim
