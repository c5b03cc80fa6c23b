// The node workloads under a few fixed seeds, each run twice.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Goal: whatever fails, nothing that was acknowledged or seen is otherwise later, and one seed is
// one history. Method: the workload, twice for each seed. SIM_SEED, SIM_SEEDS and SIM_VERBOSE
// choose others.
TEST(Node, KeepsItsPromisesUnderFaults) {
  const std::uint64_t first = from_environment("SIM_SEED", 1);
  const std::uint64_t count = from_environment("SIM_SEEDS", 8);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    World once(seed);
    once.set_verbose(from_environment("SIM_VERBOSE", 0) != 0);
    run_node(once);
    ASSERT_FALSE(once.failed()) << "seed " << seed << ": " << once.why();
    World twice(seed);
    run_node(twice);
    ASSERT_EQ(once.digest(), twice.digest()) << "two runs of seed " << seed << " differ";
  }
}

// Goal: the same, for every operation of the disk in its turn. Method: a fixed script and each kind
// of fault at each operation; SIM_STRIDE=1 for all of them, else a part that the seed chooses.
TEST(Node, SurvivesAFaultAtEachOperation) {
  World world(from_environment("SIM_SEED", 1));
  run_node_each_operation(world, from_environment("SIM_STRIDE", 4));
  ASSERT_FALSE(world.failed()) << world.why();
}

// Goal: a partition moves to another log directory and loses nothing, whatever fails at whichever
// operation of the disk. Method: as above, with partitions that move all the time.
TEST(Node, MovesBetweenDirectoriesThroughAFaultAtEachOperation) {
  World world(from_environment("SIM_SEED", 1));
  world.set_verbose(from_environment("SIM_VERBOSE", 0) != 0);
  run_node_moves(world, from_environment("SIM_STRIDE", 12));
  ASSERT_FALSE(world.failed()) << world.why();
}

}  // namespace
}  // namespace sim
