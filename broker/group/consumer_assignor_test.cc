#include "broker/group/consumer_assignor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/random.h"

namespace broker::group {
namespace {

const base::Uuid kA{1, 1};
const base::Uuid kB{2, 2};

std::vector<std::string> no_racks(const PartitionId&) { return {}; }

AssignmentMember member(std::string id, std::vector<AssignmentTopic> topics) {
  return {.id = std::move(id), .topics = std::move(topics)};
}

// Every partition that somebody reads has one owner, who reads it.
void expect_complete(const std::vector<AssignmentMember>& members,
                     const std::map<std::string, Partitions>& assigned) {
  Partitions wanted;
  Partitions owned;
  std::size_t count = 0;
  ASSERT_EQ(assigned.size(), members.size());
  for (const auto& each : members) {
    Partitions own;
    for (const auto& topic : each.topics) {
      for (std::int32_t p = 0; p < topic.partitions; ++p) own.insert({topic.id, p});
    }
    wanted.insert(own.begin(), own.end());
    const Partitions& got = assigned.at(each.id);
    EXPECT_TRUE(std::ranges::includes(own, got)) << each.id;
    owned.insert(got.begin(), got.end());
    count += got.size();
  }
  EXPECT_EQ(owned, wanted);
  EXPECT_EQ(count, owned.size());
}

// Goal: range gives stretches, the first members the longer ones. Method: 7 partitions for 3.
TEST(Assignor, RangeGivesStretches) {
  const std::vector members{member("c", {{kA, 7}}), member("a", {{kA, 7}}), member("b", {{kA, 7}})};
  const auto assigned = assign_partitions(Assignor::kRange, members, no_racks);
  EXPECT_EQ(assigned.at("a"), (Partitions{{kA, 0}, {kA, 1}, {kA, 2}}));
  EXPECT_EQ(assigned.at("b"), (Partitions{{kA, 3}, {kA, 4}}));
  EXPECT_EQ(assigned.at("c"), (Partitions{{kA, 5}, {kA, 6}}));
}

// Goal: uniform moves no more than it must. Method: a third member comes to two with four each.
TEST(Assignor, UniformKeepsWhatItCan) {
  std::vector members{member("a", {{kA, 9}}), member("b", {{kA, 9}})};
  const auto before = assign_partitions(Assignor::kUniform, members, no_racks);
  for (auto& each : members) each.current = before.at(each.id);
  members.push_back(member("c", {{kA, 9}}));
  const auto after = assign_partitions(Assignor::kUniform, members, no_racks);
  expect_complete(members, after);
  for (const auto& each : members) EXPECT_EQ(after.at(each.id).size(), 3) << each.id;
  EXPECT_TRUE(std::ranges::includes(before.at("a"), after.at("a")));
  EXPECT_TRUE(std::ranges::includes(before.at("b"), after.at("b")));
}

// Goal: a member reads what lies in its rack. Method: each partition has one replica, in its rack.
TEST(Assignor, UniformPrefersTheRack) {
  std::vector members{member("a", {{kA, 6}}), member("b", {{kA, 6}})};
  members[0].rack = "even";
  members[1].rack = "odd";
  const auto assigned = assign_partitions(Assignor::kUniform, members, [](const PartitionId& at) {
    return std::vector<std::string>{at.partition % 2 == 0 ? "even" : "odd"};
  });
  EXPECT_EQ(assigned.at("a"), (Partitions{{kA, 0}, {kA, 2}, {kA, 4}}));
  EXPECT_EQ(assigned.at("b"), (Partitions{{kA, 1}, {kA, 3}, {kA, 5}}));
}

// Goal: differing subscriptions are as equal as they can be. Method: one reads both topics.
TEST(Assignor, UniformEvensOutDifferingSubscriptions) {
  const std::vector members{member("both", {{kA, 4}, {kB, 4}}), member("one", {{kA, 4}})};
  const auto assigned = assign_partitions(Assignor::kUniform, members, no_racks);
  expect_complete(members, assigned);
  EXPECT_EQ(assigned.at("one").size(), 4);
}

// Goal: whatever the input, all is assigned once, and equal subscriptions get equal shares.
// Method: random groups that assign again and again while members come, go and change.
TEST(Assignor, AssignsEverythingOnceForRandomGroups) {
  base::Random random(1);
  for (int round = 0; round < 300; ++round) {
    const auto assignor = random.chance(1, 2) ? Assignor::kUniform : Assignor::kRange;
    const bool same = random.chance(1, 2);
    std::vector<AssignmentMember> members;
    std::map<std::string, Partitions> last;
    for (int step = 0; step < 8; ++step) {
      const auto a = static_cast<std::int32_t>(random.below(12));
      const auto b = static_cast<std::int32_t>(random.below(12));
      members.clear();
      const std::size_t count = 1 + random.below(7);
      for (std::size_t i = 0; i < count; ++i) {
        auto& each = members.emplace_back(member("m" + std::to_string(i), {}));
        if (same || random.chance(2, 3)) each.topics.push_back({kA, a});
        if (same || random.chance(1, 2)) each.topics.push_back({kB, b});
        if (const auto at = last.find(each.id); at != last.end()) each.current = at->second;
      }
      last = assign_partitions(assignor, members, no_racks);
      expect_complete(members, last);
      if (!same || assignor == Assignor::kRange) continue;
      const auto [least, most] = std::ranges::minmax_element(
          last, {}, [](const auto& each) { return each.second.size(); });
      EXPECT_LE(most->second.size() - least->second.size(), 1);
    }
  }
}

}  // namespace
}  // namespace broker::group
