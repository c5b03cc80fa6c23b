#include "tests/sim/groups/groups.h"

#include <gtest/gtest.h>

namespace sim {
namespace {

// Goal: the groups workload finds nothing wrong, and is the same in every run of a seed. Method:
// fixed seeds, each run twice; the digests of all that happened are compared.
TEST(GroupsWorkload, FixedSeedsAreGoodAndRepeat) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World first(seed);
    run_groups(first);
    EXPECT_FALSE(first.failed()) << "seed " << seed << ": " << first.why();
    World second(seed);
    run_groups(second);
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
  }
}

// Goal, method: the same for groups of the consumer protocol.
TEST(ConsumerGroupsWorkload, FixedSeedsAreGoodAndRepeat) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World first(seed);
    run_consumer_groups(first);
    EXPECT_FALSE(first.failed()) << "seed " << seed << ": " << first.why();
    if (seed > 10) continue;
    World second(seed);
    run_consumer_groups(second);
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
  }
}

// Goal, method: the same for groups whose members change between the protocols.
TEST(GroupMigrationWorkload, FixedSeedsAreGoodAndRepeat) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World first(seed);
    run_group_migration(first);
    EXPECT_FALSE(first.failed()) << "seed " << seed << ": " << first.why();
    if (seed > 10) continue;
    World second(seed);
    run_group_migration(second);
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sim
