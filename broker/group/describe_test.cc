#include <gtest/gtest.h>

#include "broker/group/test_bench.h"

namespace broker::group::testing {
namespace {

using Join = wire::JoinGroupResponse;

Config quick() {
  Config config;
  config.initial_rebalance_delay = 0ms;
  return config;
}

Join stable(Bench& bench, const std::string& group) {
  const Token token = bench.send(join(group), 3);
  bench.pass(0ms);
  const Join joined = bench.answer<Join>(token);
  bench.send(sync(joined, group, {{joined.member_id, bytes("all")}}), 5);
  return joined;
}

// Goal: a Stable group shows protocol, metadata and assignment; any other state hides what may be
// stale, as Kafka does.
TEST(Describe, ShowsMetadataWhenStable) {
  Bench bench(quick());
  const Join joined = stable(bench, "g");
  auto described = bench.ask<DescribedGroup>(DescribeGroup{"g"}, 5);
  EXPECT_EQ(described.state, "Stable");
  EXPECT_EQ(described.protocol_type, "consumer");
  EXPECT_EQ(described.protocol, "range");
  ASSERT_EQ(described.members.size(), 1u);
  EXPECT_EQ(described.members[0].member_id, joined.member_id);
  EXPECT_EQ(described.members[0].client_id, "client");
  EXPECT_EQ(described.members[0].client_host, "/127.0.0.1");
  EXPECT_EQ(text(described.members[0].metadata), "r");
  EXPECT_EQ(text(described.members[0].assignment), "all");
  bench.send(join("g"), 3);
  described = bench.ask<DescribedGroup>(DescribeGroup{"g"}, 5);
  EXPECT_EQ(described.state, "PreparingRebalance");
  EXPECT_EQ(described.protocol, "");
  EXPECT_TRUE(described.members.at(0).metadata.empty());
}

// Goal: a group that does not exist is Dead, and since version 6 an error.
TEST(Describe, UnknownGroupsAreDead) {
  Bench bench;
  auto described = bench.ask<DescribedGroup>(DescribeGroup{"g"}, 5);
  EXPECT_EQ(described.error, ErrorCode::kNone);
  EXPECT_EQ(described.state, "Dead");
  described = bench.ask<DescribedGroup>(DescribeGroup{"g"}, 6);
  EXPECT_EQ(described.error, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(described.error_message, "Group g not found.");
  EXPECT_EQ(described.group_id, "g");
}

// Goal: lists by state and type, whatever their case.
TEST(List, FiltersByStateAndType) {
  Bench bench(quick());
  stable(bench, "a");
  bench.send(commit_one("b", 1), 8);
  auto list = [&](std::vector<std::string> states, std::vector<std::string> types) {
    std::string ids;
    const auto listed = bench.ask<ListedGroups>(
        ListGroups{.states = std::move(states), .types = std::move(types)}, 5);
    for (const auto& group : listed.groups) {
      ids +=
          group.group_id + ":" + group.protocol_type + ":" + group.state + ":" + group.type + " ";
    }
    return ids;
  };
  EXPECT_EQ(list({}, {}), "a:consumer:Stable:classic b::Empty:classic ");
  EXPECT_EQ(list({"stable"}, {}), "a:consumer:Stable:classic ");
  EXPECT_EQ(list({"EMPTY", "Dead"}, {"Classic"}), "b::Empty:classic ");
  EXPECT_EQ(list({}, {"consumer"}), "");
}

// Goal: only Empty groups can be deleted, and they are gone after a restart too.
TEST(Delete, OnlyEmptyGroups) {
  Bench bench(quick());
  const Join joined = stable(bench, "g");
  bench.send(commit_one("g", 5, 1, joined.member_id), 8);
  EXPECT_EQ(bench.ask<GroupDeleted>(DeleteGroup{"x"}, 2).error, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(bench.ask<GroupDeleted>(DeleteGroup{"g"}, 2).error, ErrorCode::kNonEmptyGroup);
  bench.send(wire::LeaveGroupRequest{.group_id = "g", .member_id = joined.member_id}, 1);
  const auto pending = bench.ask<Join>(join("g"), 5);
  EXPECT_EQ(bench.ask<GroupDeleted>(DeleteGroup{"g"}, 2).error, ErrorCode::kNone);
  EXPECT_EQ(bench.group("g"), nullptr);
  bench.pass(20s);  // the pending id's deadline went with the group
  bench.restart();
  EXPECT_EQ(bench.group("g"), nullptr);
}

}  // namespace
}  // namespace broker::group::testing
