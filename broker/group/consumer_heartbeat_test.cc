#include <gtest/gtest.h>

#include "broker/group/test_consumers.h"

namespace broker::group {
namespace {

using namespace testing;
using Set = std::set<std::int32_t>;

Beaten refused(ConsumerBench& bench, const std::function<void(Heartbeat&)>& spoil,
               std::int16_t version = 1) {
  Heartbeat request = TestMember{.id = "m"}.joining();
  spoil(request);
  return bench.beat(request, version);
}

// Goal: what contradicts itself is refused and makes no group. Method: one wrong field at a time.
TEST(ConsumerHeartbeat, RefusesWhatContradictsItself) {
  const struct {
    const char* what;
    std::function<void(Heartbeat&)> spoil;
    ErrorCode error;
  } kRows[] = {
      {"no group", [](auto& r) { r.group_id = ""; }, ErrorCode::kInvalidRequest},
      {"no member", [](auto& r) { r.member_id = ""; }, ErrorCode::kInvalidRequest},
      {"instance", [](auto& r) { r.instance_id = ""; }, ErrorCode::kInvalidRequest},
      {"rack", [](auto& r) { r.rack_id = ""; }, ErrorCode::kInvalidRequest},
      {"epoch", [](auto& r) { r.member_epoch = -3; }, ErrorCode::kInvalidRequest},
      {"-2", [](auto& r) { r.member_epoch = -2; }, ErrorCode::kInvalidRequest},
      {"timeout", [](auto& r) { r.rebalance_timeout_ms = -1; }, ErrorCode::kInvalidRequest},
      {"no owned", [](auto& r) { r.topic_partitions.reset(); }, ErrorCode::kInvalidRequest},
      {"owned", [](auto& r) { r.topic_partitions->emplace_back(); }, ErrorCode::kInvalidRequest},
      {"topics", [](auto& r) { r.subscribed_topic_names.reset(); }, ErrorCode::kInvalidRequest},
      {"assignor", [](auto& r) { r.server_assignor = "x"; }, ErrorCode::kUnsupportedAssignor},
      {"regex", [](auto& r) { r.subscribed_topic_regex = "(a"; },
       ErrorCode::kInvalidRegularExpression},
      {"long regex", [](auto& r) { r.subscribed_topic_regex = std::string(5'000, 'a'); },
       ErrorCode::kInvalidRegularExpression},
      {"exploding regex", [](auto& r) { r.subscribed_topic_regex = "((a{100}){100}){100}"; },
       ErrorCode::kInvalidRegularExpression},
      {"unknown group", [](auto& r) { r.member_epoch = 5; }, ErrorCode::kGroupIdNotFound},
      {"leaving it", [](auto& r) { r.member_epoch = -1; }, ErrorCode::kGroupIdNotFound}};
  ConsumerBench bench;
  for (const auto& row : kRows) {
    EXPECT_EQ(refused(bench, row.spoil).error_code, row.error) << row.what;
    EXPECT_EQ(bench.group("g"), nullptr) << row.what;
  }
}

// Goal: a first member gets everything, and only once that is durable. Method: hold the commit.
TEST(ConsumerHeartbeat, AnswersOnceTheAssignmentIsDurable) {
  ConsumerBench bench;
  bench.auto_commit = false;
  TestMember a{.id = "a"};
  const Token token =
      bench.send(ConsumerHeartbeat{.request = a.joining(), .topics = bench.topics}, 1);
  EXPECT_FALSE(bench.answered(token));
  bench.commit();
  ASSERT_TRUE(bench.answered(token));
  a.take(bench.answer<Beaten>(token));
  EXPECT_EQ(a.epoch, 1);
  EXPECT_EQ(a.owned, (Set{0, 1, 2, 3}));
}

// Goal: a group that moves moves in short steps, one that stands does not. Method: the interval
// that members are told while a second one comes and waits for the first; a member that never gives
// back; the group's own interval, shorter and longer.
TEST(ConsumerHeartbeat, HurriesWhoHasNotArrived) {
  ConsumerBench bench;
  TestMember a{.id = "a"}, b{.id = "b"};
  const auto interval = [&](const TestMember& member) {
    return bench.beat(member.beating(*bench.topics)).heartbeat_interval_ms;
  };
  bench.join(a);
  EXPECT_EQ(interval(a), 500) << "others may be on their way";
  bench.pass(2s);
  EXPECT_EQ(interval(a), 5'000);
  bench.join(b);
  EXPECT_EQ(interval(b), 500);
  bench.pass(2s);
  EXPECT_EQ(interval(b), 500) << "it waits for a, who has not heard of it";
  TestMember silent = a;
  silent.take(bench.beat(a.beating(*bench.topics)));
  bench.pass(10s);
  EXPECT_EQ(interval(b), 500);
  bench.pass(18s);
  EXPECT_EQ(interval(a), 5'000) << "it takes its time: so does the group";
  EXPECT_EQ(interval(b), 5'000);
  a = silent;
  bench.settle({&a, &b});
  EXPECT_EQ(bench.consumers().state_name(), "Stable");
  EXPECT_EQ(interval(b), 5'000);
  bench.restart();
  EXPECT_EQ(interval(b), 5'000) << "a new coordinator does not know of changes";
}

// Goal: large groups do not drown their coordinator, and no interval grows. Method: more members
// than may hurry; a hurried interval that is longer than the group's.
TEST(ConsumerHeartbeat, HurriesWithinReason) {
  const auto told = [](base::Duration hurried, std::int64_t members) {
    Config config;
    config.consumer_hurried_interval = hurried;
    config.consumer_hurried_members = members;
    ConsumerBench bench(config);
    TestMember a{.id = "a"}, b{.id = "b"}, c{.id = "c"};
    bench.join(a);
    bench.join(b);
    bench.join(c);
    return bench.beat(c.beating(*bench.topics)).heartbeat_interval_ms;
  };
  EXPECT_EQ(told(100ms, 3), 100);
  EXPECT_EQ(told(100ms, 2), 150);
  EXPECT_EQ(told(6s, 3), 5'000);
}

// Goal: a partition is given on only when its owner has given it back. Method: a second member
// comes, step by step.
TEST(ConsumerHeartbeat, RevokesBeforeItAssigns) {
  ConsumerBench bench;
  TestMember a{.id = "a"}, b{.id = "b"};
  bench.join(a);
  bench.join(b);
  EXPECT_EQ(b.owned, Set{}) << "all is still a's";
  EXPECT_EQ(bench.consumers().state_name(), "Reconciling");
  TestMember asked = a;
  asked.take(bench.beat(a.beating(*bench.topics)));
  EXPECT_EQ(asked.owned, (Set{0, 1})) << "a is to give two back";
  EXPECT_EQ(asked.epoch, 1) << "and is not in the new epoch before";
  bench.beat(b);
  EXPECT_EQ(b.owned, Set{});
  a = asked;
  bench.beat(a);
  EXPECT_EQ(a.epoch, 2);
  bench.beat(b);
  EXPECT_EQ(b.owned, (Set{2, 3}));
  EXPECT_EQ(bench.consumers().state_name(), "Stable");
}

// Goal: a lost answer does no harm, a wrong epoch ends. Method: the last epoch with and without
// what the member may own, and others.
TEST(ConsumerHeartbeat, FencesByEpoch) {
  ConsumerBench bench;
  TestMember a{.id = "a"}, b{.id = "b"};
  bench.join(a);
  EXPECT_EQ(bench.beat(a.joining()).error_code, ErrorCode::kNone) << "its answer was lost";
  bench.join(b);
  bench.settle({&a, &b});
  TestMember late = a;
  late.epoch = 1;
  const Beaten again = bench.beat(late.beating(*bench.topics));
  EXPECT_EQ(again.error_code, ErrorCode::kNone);
  EXPECT_EQ(again.member_epoch, a.epoch);
  ASSERT_TRUE(again.assignment.has_value()) << "it may not have heard of it";
  late.owned = {0, 1, 2};
  EXPECT_EQ(bench.beat(late), ErrorCode::kFencedMemberEpoch);
  late.epoch = 7;
  EXPECT_EQ(bench.beat(late), ErrorCode::kFencedMemberEpoch);
  EXPECT_EQ(bench.beat(a.joining()).error_code, ErrorCode::kFencedMemberEpoch);
  TestMember nobody{.id = "nobody", .epoch = 2};
  EXPECT_EQ(bench.beat(nobody), ErrorCode::kUnknownMemberId);
}

// Goal: who leaves, falls silent or does not give back is out, and the others get what it had.
// Method: each way in turn.
TEST(ConsumerHeartbeat, SharesOutWhatMembersLeave) {
  ConsumerBench bench;
  TestMember a{.id = "a"}, b{.id = "b"}, c{.id = "c"};
  bench.join(a);
  bench.join(b);
  bench.settle({&a, &b});
  Heartbeat leaving = b.beating(*bench.topics);
  leaving.member_epoch = -1;
  EXPECT_EQ(bench.beat(leaving).member_epoch, -1);
  bench.settle({&a});
  EXPECT_EQ(a.owned.size(), 4);
  bench.join(c);
  bench.beat(bench.consumers().members.at("a").epoch == a.epoch ? a : c);  // a is asked to give
  for (int i = 0; i < 8; ++i) {
    bench.pass(5s);
    TestMember mute = a;  // says that it still owns all
    mute.owned = {0, 1, 2, 3};
    bench.beat(mute.beating(*bench.topics));
    bench.beat(c);
  }
  EXPECT_EQ(bench.consumers().find("a"), nullptr) << "30 s to give back have passed";
  bench.settle({&c});
  EXPECT_EQ(c.owned.size(), 4);
  bench.pass(46s);
  EXPECT_TRUE(bench.consumers().members.empty());
  EXPECT_EQ(bench.consumers().state_name(), "Empty");
}

// Goal: a static member finds its place again, and nobody takes it meanwhile. Method: it leaves
// with -2 and comes back under another id; a rival while it is there.
TEST(ConsumerHeartbeat, KeepsThePlaceOfStaticMembers) {
  ConsumerBench bench;
  TestMember a{.id = "a", .instance = "i"}, b{.id = "b"};
  bench.join(a);
  bench.join(b);
  bench.settle({&a, &b});
  const Set had = a.owned;
  const std::int32_t epoch = bench.consumers().epoch;
  TestMember rival{.id = "rival", .instance = "i"};
  EXPECT_EQ(bench.join(rival), ErrorCode::kUnreleasedInstanceId);
  Heartbeat leaving = a.beating(*bench.topics);
  leaving.member_epoch = -2;
  EXPECT_EQ(bench.beat(leaving).member_epoch, -2);
  bench.settle({&b});
  EXPECT_EQ(b.owned.size(), 2);
  TestMember back{.id = "back", .instance = "i"};
  EXPECT_EQ(bench.join(back), ErrorCode::kNone);
  EXPECT_EQ(back.owned, had);
  EXPECT_EQ(bench.consumers().epoch, epoch) << "no rebalance";
  EXPECT_EQ(bench.beat(a), ErrorCode::kFencedInstanceId);
  bench.pass(44s);
  EXPECT_EQ(bench.beat(back), ErrorCode::kNone);
}

// Goal: groups follow the topics they read, by name or expression. Method: grow, make, remove.
TEST(ConsumerHeartbeat, FollowsTheTopics) {
  ConsumerBench bench;
  TestMember a{.id = "a"};
  Heartbeat joining = a.joining();
  joining.subscribed_topic_names.reset();
  joining.subscribed_topic_regex = "t.*";
  a.take(bench.beat(joining));
  EXPECT_EQ(a.owned.size(), 4);
  bench.topics->set("t", 6);
  bench.beat(a);
  EXPECT_EQ(a.owned.size(), 6);
  bench.topics->set("other", 3);
  bench.topics->set("tail", 1);
  bench.pass(11s);
  bench.beat(a);
  EXPECT_EQ(bench.consumers().target.at("a").size(), 7);
  EXPECT_TRUE(bench.consumers().is_subscribed_to("tail"));
  EXPECT_FALSE(bench.consumers().is_subscribed_to("other"));
}

// Goal: only members commit and read, each in its epoch, and for what it has owned since then.
// Method: the epochs around.
TEST(ConsumerHeartbeat, ChecksTheEpochOfCommitsAndReads) {
  ConsumerBench bench;
  TestMember a{.id = "a"}, b{.id = "b"};
  bench.join(a);
  auto commit = [&](const std::string& id, std::int32_t epoch, std::int32_t partition,
                    std::int16_t version = 9) {
    CommitOffsets request{.group_id = "g", .generation = epoch, .member_id = id};
    request.partitions.push_back(
        {.at = {"t", partition}, .topic_id = bench.topics->find("t")->id, .offset = 5});
    return bench.ask<OffsetsCommitted>(request, version).partitions.at(0).error;
  };
  EXPECT_EQ(commit("a", 1, 0), ErrorCode::kNone);
  EXPECT_EQ(commit("a", 1, 0, 8), ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(commit("x", 1, 0), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit("", -1, 0), ErrorCode::kUnknownMemberId);
  bench.join(b);
  bench.settle({&a, &b});
  ASSERT_EQ(a.epoch, 2);
  EXPECT_EQ(commit("a", 1, 0), ErrorCode::kNone) << "it has owned it all along";
  EXPECT_EQ(commit("a", 1, 3), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit("a", 3, 0), ErrorCode::kStaleMemberEpoch);
  auto read = [&](const std::string& id, std::int32_t epoch) {
    FetchOffsets request{.group_id = "g", .all = true, .member_id = id, .member_epoch = epoch};
    return bench.ask<FetchedOffsets>(request, 9).error;
  };
  EXPECT_EQ(read("a", 2), ErrorCode::kNone);
  EXPECT_EQ(read("a", 1), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(read("x", 2), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(read("", -1), ErrorCode::kNone);
}

// Goal: a group has one protocol while it has members, and may change it when it is empty; offsets
// stay. Method: both ways.
TEST(ConsumerHeartbeat, ChangesTheProtocolOfEmptyGroupsOnly) {
  ConsumerBench bench;
  bench.ask<OffsetsCommitted>(commit_one("g", 7), 8);
  TestMember a{.id = "a"};
  EXPECT_EQ(bench.join(a), ErrorCode::kNone);
  EXPECT_EQ(bench.ask<wire::JoinGroupResponse>(testing::join("g"), 3).error_code,
            ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(bench.ask<GroupDeleted>(DeleteGroup{"g"}, 2).error, ErrorCode::kNonEmptyGroup);
  Heartbeat leaving = a.beating(*bench.topics);
  leaving.member_epoch = -1;
  bench.beat(leaving);
  const Token joined = bench.send(testing::join("g"), 3);
  bench.pass(4s);
  ASSERT_TRUE(bench.answered(joined));
  EXPECT_EQ(bench.answer<wire::JoinGroupResponse>(joined).error_code, ErrorCode::kNone);
  EXPECT_FALSE(bench.group("g")->consumer.has_value());
  EXPECT_EQ(bench.group("g")->offset_count, 1);
  EXPECT_EQ(bench.join(a), ErrorCode::kGroupIdNotFound);
}

// Goal: tools see what there is. Method: list, describe, ask for the wrong kind.
TEST(ConsumerHeartbeat, IsDescribed) {
  ConsumerBench bench;
  TestMember a{.id = "a"};
  bench.join(a);
  const auto listed = bench.ask<ListedGroups>(ListGroups{{"stable"}, {"Consumer"}}, 5);
  ASSERT_EQ(listed.groups.size(), 1);
  EXPECT_EQ(listed.groups[0].type, "consumer");
  EXPECT_EQ(listed.groups[0].protocol_type, "consumer");
  EXPECT_EQ(bench.ask<ListedGroups>(ListGroups{{}, {"classic"}}, 5).groups.size(), 0);
  EXPECT_EQ(bench.ask<DescribedGroup>(DescribeGroup{"g"}, 6).error, ErrorCode::kGroupIdNotFound);
  const auto described =
      bench.ask<DescribedConsumerGroup>(DescribeConsumerGroup{"g", bench.topics}, 1).group;
  EXPECT_EQ(described.group_epoch, 1);
  EXPECT_EQ(described.assignor_name, "uniform");
  ASSERT_EQ(described.members.size(), 1);
  EXPECT_EQ(described.members[0].member_type, 1);
  EXPECT_EQ(described.members[0].assignment.topic_partitions.at(0).topic_name, "t");
  const auto none = DescribeConsumerGroup{"none", bench.topics};
  EXPECT_EQ(bench.ask<DescribedConsumerGroup>(none, 1).group.error_code,
            ErrorCode::kGroupIdNotFound);
}

// Goal: no group grows beyond its size. Method: one more than that.
TEST(ConsumerHeartbeat, KeepsToTheSize) {
  ConsumerBench bench(Config{.consumer_group_size_max = 1});
  TestMember a{.id = "a"}, b{.id = "b"};
  EXPECT_EQ(bench.join(a), ErrorCode::kNone);
  EXPECT_EQ(bench.join(b), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(bench.beat(a), ErrorCode::kNone);
}

}  // namespace
}  // namespace broker::group
