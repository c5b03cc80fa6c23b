// The transactions' workload under a few fixed seeds, each run twice.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

// Goal: whatever fails, a transaction is seen whole or not at all, what was committed is there,
// what was aborted is not, and offsets go with their records. Method: the workload, twice for each
// seed; SIM_SEED and SIM_SEEDS choose others.
TEST(Transactions, AreWholeUnderFaults) {
  const char* seed_text = std::getenv("SIM_SEED");
  const char* count_text = std::getenv("SIM_SEEDS");
  const std::uint64_t first = seed_text ? std::strtoull(seed_text, nullptr, 10) : 1;
  const std::uint64_t count = count_text ? std::strtoull(count_text, nullptr, 10) : 5;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    World once(seed);
    once.set_verbose(std::getenv("SIM_VERBOSE") != nullptr);
    run_transactions(once);
    ASSERT_FALSE(once.failed()) << "seed " << seed << ": " << once.why();
    World twice(seed);
    run_transactions(twice);
    ASSERT_EQ(once.digest(), twice.digest()) << "two runs of seed " << seed << " differ";
  }
}

}  // namespace
}  // namespace sim
