#include <gtest/gtest.h>

#include "broker/group/limits.h"
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

// Joins with version 3, where no id is asked for first, and lets the first delay pass.
Token join_v3(Bench& bench, const wire::JoinGroupRequest& request) {
  const Token token = bench.send(request, 3);
  bench.pass(0ms);
  return token;
}

// A group with one member, Stable.
Join stable_one(Bench& bench, const std::string& group) {
  const Token token = join_v3(bench, join(group));
  const Join joined = bench.answer<Join>(token);
  bench.ask<Sync>(sync(joined, group, {{joined.member_id, bytes("all")}}), 5);
  return joined;
}

// Goal: a new dynamic member first gets an id (v4+), then waits out the initial delay, leads, and
// gets what it assigned. Method: the whole life of a one-member group.
TEST(Join, FirstMemberGetsAnIdThenLeadsAndSyncs) {
  Bench bench;
  const auto first = bench.ask<Join>(join("g"), 4);
  EXPECT_EQ(first.error_code, ErrorCode::kMemberIdRequired);
  EXPECT_TRUE(first.member_id.starts_with("client-"));
  EXPECT_EQ(first.member_id.size(), std::string("client-").size() + 36);

  const Token token = bench.send(join("g", first.member_id), 7);
  bench.pass(2'999ms);
  EXPECT_FALSE(bench.answered(token));
  bench.pass(1ms);
  const auto& joined = bench.answer<Join>(token);
  EXPECT_EQ(joined.error_code, ErrorCode::kNone);
  EXPECT_EQ(joined.generation_id, 1);
  EXPECT_EQ(joined.leader, first.member_id);
  EXPECT_EQ(joined.protocol_type, "consumer");
  EXPECT_EQ(joined.protocol_name, "range");
  ASSERT_EQ(joined.members.size(), 1u);
  EXPECT_EQ(text(joined.members[0].metadata), "r");
  EXPECT_EQ(bench.group("g")->state, GroupState::kCompletingRebalance);

  const auto synced = bench.ask<Sync>(sync(joined, "g", {{joined.member_id, bytes("t0 t1")}}), 5);
  EXPECT_EQ(synced.error_code, ErrorCode::kNone);
  EXPECT_EQ(text(synced.assignment), "t0 t1");
  EXPECT_EQ(synced.protocol_name, "range");
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(joined, "g"), 4).error_code, ErrorCode::kNone);
}

// Goal: members that come during the initial delay extend it, up to the rebalance timeout.
TEST(Join, NewMembersExtendTheInitialDelay) {
  Bench bench;
  const Token a = bench.send(join("g"), 3);
  bench.pass(2s);
  const Token b = bench.send(join("g"), 3);
  bench.pass(1s);
  EXPECT_FALSE(bench.answered(a));
  bench.pass(3s);
  EXPECT_EQ(bench.answer<Join>(a).generation_id, 1);
  EXPECT_EQ(bench.answer<Join>(b).generation_id, 1);
  EXPECT_EQ(bench.answer<Join>(a).members.size(), 2u);
  EXPECT_EQ(bench.answer<Join>(b).members.size(), 0u);  // the first to come leads
  EXPECT_EQ(bench.answer<Join>(b).leader, bench.answer<Join>(a).member_id);
}

// Goal: with a quiet time a new group begins that long after the last member came, never later than
// without; the next rebalances are as ever. Method: one member alone; three that come in time; a
// stream up to the rebalance timeout; a delay that is shorter than the quiet time.
TEST(Join, TheInitialDelayEndsWhenNobodyComes) {
  Config config;
  config.initial_quiet = 500ms;
  Bench bench(config);
  const Token alone = bench.send(join("alone"), 3);
  bench.pass(499ms);
  EXPECT_FALSE(bench.answered(alone));
  bench.pass(1ms);
  EXPECT_TRUE(bench.answered(alone));

  const Token a = bench.send(join("g"), 3);
  for (int i = 0; i < 2; ++i) {
    bench.pass(400ms);
    bench.send(join("g"), 3);
  }
  bench.pass(499ms);
  EXPECT_FALSE(bench.answered(a));
  bench.pass(1ms);
  EXPECT_EQ(bench.answer<Join>(a).members.size(), 3u);

  auto request = join("stream");
  request.rebalance_timeout_ms = 2'000;
  const Token first = bench.send(request, 3);
  for (int i = 0; i < 19; ++i) {
    bench.pass(100ms);
    bench.send(request, 3);
    EXPECT_FALSE(bench.answered(first)) << i;
  }
  bench.pass(500ms);
  EXPECT_TRUE(bench.answered(first));

  config.initial_rebalance_delay = 100ms;
  Bench shorter(config);
  const Token quick = shorter.send(join("g"), 3);
  shorter.pass(100ms);
  EXPECT_TRUE(shorter.answered(quick));
}

// Goal: a steady stream of members cannot put off the first generation for ever.
TEST(Join, TheInitialDelayEndsWithTheRebalanceTimeout) {
  Bench bench;
  auto request = join("g");
  request.rebalance_timeout_ms = 10'000;
  const Token a = bench.send(request, 3);
  for (int i = 0; i < 9; ++i) {
    bench.pass(1s);
    bench.send(request, 3);
    EXPECT_FALSE(bench.answered(a)) << i;
  }
  bench.pass(1s);
  EXPECT_TRUE(bench.answered(a));
}

// Goal: every refusal that needs no group. Method: one request each.
TEST(Join, RefusesWhatIsInvalid) {
  Bench bench(quick());
  EXPECT_EQ(bench.ask<Join>(join(""), 5).error_code, ErrorCode::kInvalidGroupId);
  auto request = join("g");
  request.session_timeout_ms = 5'999;
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kInvalidSessionTimeout);
  request.session_timeout_ms = 1'800'001;
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kInvalidSessionTimeout);
  EXPECT_EQ(bench.ask<Join>(join("g", "nobody"), 5).error_code, ErrorCode::kUnknownMemberId);
  request = join("g");
  request.protocols.clear();
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kInconsistentGroupProtocol);
  request = join("g");
  request.protocol_type = "";
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kInconsistentGroupProtocol);
  request = join("g");
  for (std::size_t i = 0; i < kProtocolsMax; ++i) {
    request.protocols.push_back({.name = "p" + std::to_string(i), .metadata = {}});
  }
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kInconsistentGroupProtocol);
  request = join("g");
  request.protocols[0].metadata.resize(kMemberMetadataBytesMax + 1);
  EXPECT_EQ(bench.ask<Join>(request, 5).error_code, ErrorCode::kMessageTooLarge);
  EXPECT_EQ(bench.group("g"), nullptr);  // none of them left a group behind
}

// Goal: a member must share the group's type and one protocol that all others offer.
TEST(Join, RefusesProtocolsThatTheOthersDoNotShare) {
  Bench bench(quick());
  stable_one(bench, "g");
  auto request = join("g");
  request.protocol_type = "connect";
  EXPECT_EQ(bench.ask<Join>(request, 3).error_code, ErrorCode::kInconsistentGroupProtocol);
  request = join("g");
  request.protocols = {{.name = "sticky", .metadata = {}}};
  EXPECT_EQ(bench.ask<Join>(request, 3).error_code, ErrorCode::kInconsistentGroupProtocol);
}

// Goal: the protocol that all offer and most prefer is chosen; of two equal ones the leader's.
TEST(Join, ChoosesTheProtocolThatMostPrefer) {
  Bench bench;
  auto offering = [](std::vector<std::string> names) {
    auto request = join("g");
    request.protocols.clear();
    for (auto& each : names) request.protocols.push_back({.name = each, .metadata = bytes(each)});
    return request;
  };
  const Token a = bench.send(offering({"range", "sticky", "own"}), 3);
  bench.send(offering({"sticky", "range"}), 3);
  bench.send(offering({"sticky", "range"}), 3);
  bench.pass(10s);
  EXPECT_EQ(bench.answer<Join>(a).protocol_name, "sticky");
  EXPECT_EQ(text(bench.answer<Join>(a).members[0].metadata), "sticky");

  Bench tied;
  const Token leader = tied.send(offering({"sticky", "range"}), 3);
  tied.send(offering({"range", "sticky"}), 3);
  tied.pass(10s);
  EXPECT_EQ(tied.answer<Join>(leader).protocol_name, "sticky");
}

// Goal: a second member forces a rebalance: the first hears it by heartbeat, joins again, and both
// are in the next generation.
TEST(Join, SecondMemberRebalances) {
  Bench bench(quick());
  const Join a = stable_one(bench, "g");
  const Token b = bench.send(join("g"), 3);
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(a, "g"), 4).error_code, ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(bench.ask<Sync>(sync(a, "g"), 5).error_code, ErrorCode::kRebalanceInProgress);
  const auto again = bench.ask<Join>(join("g", a.member_id), 5);
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(again.members.size(), 2u);
  ASSERT_TRUE(bench.answered(b));
  const Join second = bench.answer<Join>(b);
  EXPECT_EQ(second.generation_id, 2);

  const Token waiting = bench.send(sync(second, "g"), 5);
  EXPECT_FALSE(bench.answered(waiting));
  const auto own = bench.ask<Sync>(
      sync(again, "g", {{a.member_id, bytes("t0")}, {second.member_id, bytes("t1")}}), 5);
  EXPECT_EQ(text(own.assignment), "t0");
  EXPECT_EQ(text(bench.answer<Sync>(waiting).assignment), "t1");
  EXPECT_EQ(bench.ask<Beat>(heartbeat(a, "g"), 4).error_code, ErrorCode::kIllegalGeneration);
}

// Goal: who does not join again within the rebalance timeout is dropped, and the rest go on; if it
// was the leader, another one leads.
TEST(Join, DropsMembersThatDoNotJoinAgain) {
  Bench bench(quick());
  auto request = join("g");
  request.session_timeout_ms = 100'000;
  request.rebalance_timeout_ms = 20'000;
  const Join a = bench.answer<Join>(join_v3(bench, request));
  bench.ask<Sync>(sync(a, "g", {{a.member_id, bytes("all")}}), 5);
  const Token b = bench.send(request, 3);
  bench.pass(19'999ms);
  EXPECT_FALSE(bench.answered(b));
  bench.pass(1ms);
  const auto& joined = bench.answer<Join>(b);
  EXPECT_EQ(joined.leader, joined.member_id);
  EXPECT_EQ(joined.members.size(), 1u);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(a, "g"), 4).error_code, ErrorCode::kUnknownMemberId);
}

// Goal: a follower that joins again unchanged is told of the current generation; a changed one, or
// the leader, starts a rebalance. Method: two members, all three cases.
TEST(Join, RejoiningRebalancesOnlyWithReason) {
  Bench bench;
  const Token ta = bench.send(join("g"), 3);
  const Token tb = bench.send(join("g"), 3);
  bench.pass(10s);
  const Join a = bench.answer<Join>(ta);
  const Join b = bench.answer<Join>(tb);
  // In CompletingRebalance: the same for everybody, members for the leader.
  EXPECT_EQ(bench.ask<Join>(join("g", a.member_id), 5).members.size(), 2u);
  EXPECT_EQ(bench.ask<Join>(join("g", b.member_id), 5).generation_id, 1);
  bench.send(sync(b, "g"), 5);
  bench.ask<Sync>(sync(a, "g"), 5);

  EXPECT_EQ(bench.ask<Join>(join("g", b.member_id), 5).generation_id, 1);
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  auto changed = join("g", b.member_id);
  changed.protocols[0].metadata = bytes("new topics");
  const Token rejoined = bench.send(changed, 5);
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
  const auto leads = bench.ask<Join>(join("g", a.member_id), 5);
  EXPECT_EQ(leads.generation_id, 2);
  bench.send(sync(bench.answer<Join>(rejoined), "g"), 5);
  bench.ask<Sync>(sync(leads, "g"), 5);
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  bench.send(join("g", a.member_id), 5);
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
}

// Goal: a change during CompletingRebalance begins again, and those who wait for their assignment
// are told to rejoin.
TEST(Join, ChangeWhileCompletingTellsTheWaiting) {
  Bench bench;
  const Token ta = bench.send(join("g"), 3);
  const Token tb = bench.send(join("g"), 3);
  bench.pass(10s);
  const Token waiting = bench.send(sync(bench.answer<Join>(tb), "g"), 5);
  bench.send(join("g"), 3);
  EXPECT_EQ(bench.answer<Sync>(waiting).error_code, ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(bench.ask<Sync>(sync(bench.answer<Join>(ta), "g"), 5).error_code,
            ErrorCode::kRebalanceInProgress);
}

// Goal: a member that asks twice (a retry on a new connection) is answered on both, with the
// membership on the newer one.
TEST(Join, NewerRequestOfTheSameMemberTakesOver) {
  Bench bench(quick());
  const Join a = stable_one(bench, "g");
  bench.send(join("g"), 3);  // b, which makes a rejoin wait in the second case
  bench.send(join("g"), 4);  // a pending id holds the join phase open
  const Token older = bench.send(join("g", a.member_id), 5);
  const Token newer = bench.send(join("g", a.member_id), 5);
  EXPECT_EQ(bench.answer<Join>(older).error_code, ErrorCode::kRebalanceInProgress);
  EXPECT_FALSE(bench.answered(newer));
  bench.pass(60s);
  EXPECT_EQ(bench.answer<Join>(newer).generation_id, 2);
}

// Goal: group.max.size turns newcomers away in every state, and counts the waiting while a
// rebalance is prepared.
TEST(Join, RefusesMembersOverTheGroupSize) {
  Config config = quick();
  config.group_size_max = 1;
  Bench bench(config);
  const Join a = stable_one(bench, "g");
  const auto refused = bench.ask<Join>(join("g"), 5);
  EXPECT_EQ(refused.error_code, ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(refused.member_id, "");
  EXPECT_EQ(bench.ask<Join>(join("g", a.member_id), 5).error_code, ErrorCode::kNone);
}

// Goal: ids that were given out and never used end with the session timeout, and until then hold
// the join phase open.
TEST(Join, PendingIdsExpire) {
  Bench bench(quick());
  const auto given = bench.ask<Join>(join("g"), 5);
  EXPECT_TRUE(bench.group("g")->pending_join.contains(given.member_id));
  bench.pass(10s);
  EXPECT_EQ(bench.group("g"), nullptr);
  EXPECT_EQ(bench.ask<Join>(join("g", given.member_id), 5).error_code, ErrorCode::kUnknownMemberId);
}

// Goal: a new member whose JoinGroup nobody waits for any more is dropped after five minutes,
// although others that wait are not.
TEST(Join, NewMemberThatWaitsTooLongIsDropped) {
  Bench bench(quick());
  auto slow = join("g");
  slow.rebalance_timeout_ms = 3'600'000;
  slow.session_timeout_ms = 1'800'000;
  const Join a = bench.answer<Join>(join_v3(bench, slow));
  bench.ask<Sync>(sync(a, "g"), 5);
  const Token b = bench.send(join("g"), 3);
  bench.pass(299s);
  EXPECT_FALSE(bench.answered(b));
  bench.pass(1s);
  EXPECT_EQ(bench.answer<Join>(b).error_code, ErrorCode::kUnknownMemberId);
}

// Goal: version 0 has one timeout for both.
TEST(Join, VersionZeroRebalancesWithinTheSessionTimeout) {
  Bench bench(quick());
  auto request = join("g");
  request.rebalance_timeout_ms = -1;
  const Token token = bench.send(request, 0);
  bench.pass(0ms);
  EXPECT_EQ(bench.answer<Join>(token).error_code, ErrorCode::kNone);
  EXPECT_EQ(bench.group("g")->rebalance_timeout(), 10s);
}

// Goal: an opaque group type (Kafka Connect) works like any other.
TEST(Join, OpaqueProtocolTypesWork) {
  Bench bench(quick());
  auto request = join("g");
  request.protocol_type = "connect";
  request.protocols = {{.name = "sessioned", .metadata = bytes("\x01\xff")}};
  const Join joined = bench.answer<Join>(join_v3(bench, request));
  EXPECT_EQ(joined.protocol_name, "sessioned");
  EXPECT_FALSE(bench.group("g")->subscribed_topics.has_value());
}

}  // namespace
}  // namespace broker::group::testing
