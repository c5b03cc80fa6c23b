// Proves that random_cluster.h finds defects: compiled with the seeded ones (common/base/mutant.h).
#include <gtest/gtest.h>

#include "common/base/mutant.h"
#include "controller/cluster/random_cluster.h"

namespace controller::cluster {
namespace {

// The first seed whose life shows a violation; 0: none does.
std::uint64_t first_violation(std::string_view mutant, std::uint64_t seeds) {
  base::active_mutant = mutant;
  std::uint64_t found = 0;
  for (std::uint64_t seed = 1; seed <= seeds && found == 0; ++seed) {
    base::Random random(seed);
    if (RandomCluster::run(random_events(random, 600))) found = seed;
  }
  base::active_mutant = {};
  return found;
}

// Goal: without a defect nothing is found; with each of them, soon.
TEST(ClusterMutants, AreAllFound) {
  EXPECT_EQ(first_violation("", 20), 0u);
  for (const char* mutant :
       {"skip-partition-epoch", "accept-stale-member-epoch", "keep-leader-epoch",
        "unfence-before-caught-up", "keep-elr-over-config", "isr-keeps-unclean-member",
        "empty-disk-stays-in-isr", "failed-directory-counts", "lost-directory-counts"}) {
    const std::uint64_t seed = first_violation(mutant, 200);
    EXPECT_NE(seed, 0u) << mutant;
    RecordProperty(mutant, static_cast<int>(seed));
    std::printf("%s: seed %d\n", mutant, static_cast<int>(seed));
  }
}

}  // namespace
}  // namespace controller::cluster
