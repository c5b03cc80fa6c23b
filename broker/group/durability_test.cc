// What a shard says before and after its records are committed, and what survives.
#include <gtest/gtest.h>

#include "broker/group/test_bench.h"

namespace broker::group::testing {
namespace {

using Join = wire::JoinGroupResponse;
using Sync = wire::SyncGroupResponse;
using Beat = wire::HeartbeatResponse;

Config quick() {
  Config config;
  config.initial_rebalance_delay = 0ms;
  return config;
}

// Goal: nobody hears of an offset that a crash could take back: neither who commits nor who reads.
TEST(Durability, AnswersWaitForTheLog) {
  Bench bench;
  bench.auto_commit = false;
  const Token committed = bench.send(commit_one("g", 7), 8);
  FetchOffsets read{.group_id = "g"};
  read.partitions.push_back({.at = {"t", 0}});
  const Token fetched = bench.send(read, 8);
  const Token listed = bench.send(ListGroups{}, 5);
  const Token described = bench.send(DescribeGroup{"g"}, 5);
  EXPECT_TRUE(bench.answers.empty());
  // Another group's readers do not wait for it.
  read.group_id = "other";
  bench.commit();
  EXPECT_EQ(bench.answer<OffsetsCommitted>(committed).partitions[0].error, ErrorCode::kNone);
  EXPECT_EQ(bench.answer<FetchedOffsets>(fetched).partitions[0].offset, 7);
  EXPECT_EQ(bench.answer<ListedGroups>(listed).groups.size(), 1u);
  EXPECT_EQ(bench.answer<DescribedGroup>(described).state, "Empty");
}

// Goal: assignments are given out only when they are committed, and a slow log costs nobody the
// session.
TEST(Durability, AssignmentsWaitForTheLog) {
  Bench bench(quick());
  const Token token = bench.send(join("g"), 3);
  bench.pass(0ms);
  const Join joined = bench.answer<Join>(token);
  bench.auto_commit = false;
  const Token synced = bench.send(sync(joined, "g", {{joined.member_id, bytes("all")}}), 5);
  bench.pass(60s);
  EXPECT_FALSE(bench.answered(synced));
  bench.commit();
  EXPECT_EQ(text(bench.answer<Sync>(synced).assignment), "all");
  bench.auto_commit = true;
  EXPECT_EQ(bench.ask<Beat>(heartbeat(joined, "g"), 4).error_code, ErrorCode::kNone);
}

// Goal: a crash before the commit forgets the generation, and its members are told to join again;
// a crash after it keeps the group Stable with everybody's assignment.
TEST(Durability, RestartKeepsCommittedGenerations) {
  Bench bench(quick());
  const Token token = bench.send(join("g"), 3);
  bench.pass(0ms);
  const Join joined = bench.answer<Join>(token);
  bench.auto_commit = false;
  bench.send(sync(joined, "g", {{joined.member_id, bytes("all")}}), 5);
  bench.restart();
  EXPECT_EQ(bench.ask<Beat>(heartbeat(joined, "g"), 4).error_code, ErrorCode::kUnknownMemberId);

  bench.auto_commit = true;
  const Token second = bench.send(join("g"), 3);
  bench.pass(0ms);
  const Join again = bench.answer<Join>(second);
  bench.send(sync(again, "g", {{again.member_id, bytes("all")}}), 5);
  bench.restart();
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(again, "g"), 4).error_code, ErrorCode::kNone);
  EXPECT_EQ(text(bench.ask<Sync>(sync(again, "g"), 5).assignment), "all");
  bench.pass(10s);  // one session to be heard of
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
}

// Goal: a loaded group that is over a lowered group.max.size sheds members in a rebalance.
TEST(Durability, LoadedGroupsShrinkToTheSize) {
  Bench big(quick());
  const Token ta = big.send(join("g"), 3);
  const Token tb = big.send(join("g"), 3);
  big.pass(0ms);
  const Join a = big.answer<Join>(ta);
  const Join b = big.answer<Join>(tb);
  big.send(sync(a, "g"), 5);
  Config config = quick();
  config.group_size_max = 1;
  Bench small(config);
  small.log = big.log;
  small.restart();
  EXPECT_EQ(small.group("g")->state, GroupState::kPreparingRebalance);
  const Token first = small.send(join("g", b.member_id), 5);
  const auto refused = small.ask<Join>(join("g", a.member_id), 5);
  EXPECT_EQ(refused.error_code, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(small.answer<Join>(first).generation_id, 2);
}

// Goal: the end of a shard answers everybody with what lets clients find the next coordinator.
TEST(Durability, FailureAnswersEverybody) {
  struct Case {
    ErrorCode append, told, told_commit;
  };
  for (const Case& each : {
           Case{ErrorCode::kNotLeaderOrFollower, ErrorCode::kNotCoordinator,
                ErrorCode::kNotCoordinator},
           Case{ErrorCode::kKafkaStorageError, ErrorCode::kNotCoordinator,
                ErrorCode::kNotCoordinator},
           Case{ErrorCode::kNotEnoughReplicas, ErrorCode::kCoordinatorNotAvailable,
                ErrorCode::kCoordinatorNotAvailable},
           Case{ErrorCode::kMessageTooLarge, ErrorCode::kUnknownServerError,
                ErrorCode::kInvalidCommitOffsetSize},
       }) {
    Bench bench(quick());
    const Token ta = bench.send(join("g"), 3);
    const Token tb = bench.send(join("g"), 3);
    bench.pass(0ms);
    const Token waits_sync = bench.send(sync(bench.answer<Join>(tb), "g"), 5);
    const Token waits_join = bench.send(join("h"), 3);
    bench.auto_commit = false;
    const Token waits_commit = bench.send(commit_one("s", 1), 8);
    const Token waits_list = bench.send(ListGroups{}, 5);
    Output out;
    bench.shard->fail(each.append, out);
    bench.take(std::move(out));
    EXPECT_TRUE(bench.answered(ta));
    EXPECT_EQ(bench.answer<Sync>(waits_sync).error_code, each.told);
    EXPECT_EQ(bench.answer<Join>(waits_join).error_code, each.told);
    EXPECT_EQ(bench.answer<OffsetsCommitted>(waits_commit).partitions[0].error, each.told_commit);
    EXPECT_EQ(bench.answer<ListedGroups>(waits_list).error, each.told);
  }
}

}  // namespace
}  // namespace broker::group::testing
