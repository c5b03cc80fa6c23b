#include "cli/client/range_assignor.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

using Partitions = std::vector<std::int32_t>;

// Goal: runs in order of member, the first ones longer. Method: seven partitions, three members.
TEST(RangeAssignor, CutsRunsInOrderOfMember) {
  auto assigned = assign_ranges({{"c", {}, {"t"}}, {"a", {}, {"t"}}, {"b", {}, {"t"}}}, {{"t", 7}});
  EXPECT_EQ(assigned["a"]["t"], (Partitions{0, 1, 2}));
  EXPECT_EQ(assigned["b"]["t"], (Partitions{3, 4}));
  EXPECT_EQ(assigned["c"]["t"], (Partitions{5, 6}));
}

// Goal: every member is answered, and only with topics it reads. Method: more members than
// partitions, unequal subscriptions, a topic that does not exist.
TEST(RangeAssignor, MembersWithoutAShareAreStillThere) {
  auto assigned = assign_ranges({{"a", {}, {"t", "u"}}, {"b", {}, {"t", "gone"}}},
                                {{"t", 1}, {"u", 2}, {"gone", 0}});
  ASSERT_EQ(assigned.size(), 2U);
  EXPECT_EQ(assigned["a"]["t"], (Partitions{0}));
  EXPECT_EQ(assigned["a"]["u"], (Partitions{0, 1}));
  EXPECT_TRUE(assigned["b"].empty());
}

// Goal: static members keep their place whatever member id they got. Method: an instance id that
// sorts before the other's, with a member id that sorts after it.
TEST(RangeAssignor, StaticMembersAreOrderedByInstance) {
  auto assigned = assign_ranges({{"x-1", "i2", {"t"}}, {"x-2", "i1", {"t"}}}, {{"t", 2}});
  EXPECT_EQ(assigned["x-2"]["t"], (Partitions{0}));
  EXPECT_EQ(assigned["x-1"]["t"], (Partitions{1}));
}

}  // namespace
}  // namespace cli
