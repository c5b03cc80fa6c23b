#include <gtest/gtest.h>

#include "broker/group/test_bench.h"

namespace broker::group::testing {
namespace {

using Join = wire::JoinGroupResponse;
using Sync = wire::SyncGroupResponse;
using Beat = wire::HeartbeatResponse;
using Leave = wire::LeaveGroupResponse;

Config quick() {
  Config config;
  config.initial_rebalance_delay = 0ms;
  return config;
}

wire::JoinGroupRequest join_static(const std::string& instance, const std::string& member = "") {
  auto request = join("g", member);
  request.group_instance_id = instance;
  return request;
}

// Joins everybody into one generation and shares out "for <index>". The first leads.
std::vector<Join> stable(Bench& bench, const std::vector<wire::JoinGroupRequest>& requests) {
  std::vector<Token> tokens;
  for (const auto& request : requests) tokens.push_back(bench.send(request, 3));
  bench.pass(0ms);
  std::vector<Join> joined;
  for (Token token : tokens) joined.push_back(bench.answer<Join>(token));
  auto request = sync(joined[0], "g");
  for (std::size_t i = 0; i < joined.size(); ++i) {
    request.assignments.push_back({joined[i].member_id, bytes("for " + std::to_string(i))});
  }
  for (std::size_t i = joined.size(); i-- > 0;) {
    bench.send(i == 0 ? request : sync(joined[i], "g"), 5);
  }
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  return joined;
}

// Goal: heartbeats keep a member; without them it is gone after the session timeout and the rest
// rebalance. Method: two members, one falls silent.
TEST(Session, EndsWithoutHeartbeats) {
  Bench bench(quick());
  const auto members = stable(bench, {join("g"), join("g")});
  for (int i = 0; i < 3; ++i) {
    bench.pass(3s);
    EXPECT_EQ(bench.ask<Beat>(heartbeat(members[0], "g"), 4).error_code, ErrorCode::kNone);
  }
  bench.pass(1s);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(members[0], "g"), 4).error_code,
            ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(members[1], "g"), 4).error_code, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(bench.shard->stats().members_expired, 1u);
}

// Goal: when the last member is gone the group is Empty in a new generation, and that is logged.
TEST(Session, LastMemberLeavesAnEmptyGroup) {
  Bench bench(quick());
  stable(bench, {join("g")});
  bench.pass(10s);
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
  EXPECT_EQ(bench.group("g")->generation, 2);
  bench.restart();
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
  EXPECT_EQ(bench.group("g")->generation, 2);
}

// Goal: who waits for the rebalance cannot send heartbeats and is not dropped for it.
TEST(Session, DoesNotEndWhileWaitingToJoin) {
  Bench bench(quick());
  auto slow = join("g");
  slow.session_timeout_ms = 60'000;
  const auto members = stable(bench, {slow, join("g")});
  bench.send(join("g"), 4);  // a newcomer that never comes back...
  bench.send(join("g"), 3);
  const Token waiting = bench.send(join("g", members[1].member_id), 5);
  bench.pass(30s);
  EXPECT_FALSE(bench.answered(waiting));
  bench.pass(30s);
  EXPECT_EQ(bench.answer<Join>(waiting).error_code, ErrorCode::kNone);
}

// Goal: every heartbeat error. Method: one request each.
TEST(Heartbeat, RefusesWhoIsNotInTheGeneration) {
  Bench bench(quick());
  const auto members = stable(bench, {join_static("i0")});
  auto beat = heartbeat(members[0], "g");
  EXPECT_EQ(bench.ask<Beat>(heartbeat(members[0], ""), 4).error_code, ErrorCode::kInvalidGroupId);
  EXPECT_EQ(bench.ask<Beat>(heartbeat(members[0], "x"), 4).error_code, ErrorCode::kUnknownMemberId);
  beat.generation_id = 7;
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kIllegalGeneration);
  beat = heartbeat(members[0], "g");
  beat.group_instance_id = "i1";
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kUnknownMemberId);
  beat.group_instance_id = "i0";
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kNone);
  beat.member_id = "other";
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kFencedInstanceId);
  beat.group_instance_id.reset();
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kUnknownMemberId);
}

// Goal: every SyncGroup error that Stable or Completing can give.
TEST(Sync, RefusesWhoIsNotInTheGeneration) {
  Bench bench(quick());
  const auto members = stable(bench, {join("g")});
  auto ask = [&](wire::SyncGroupRequest request, std::int16_t version = 5) {
    return bench.ask<Sync>(request, version).error_code;
  };
  EXPECT_EQ(ask(sync(members[0], "")), ErrorCode::kInvalidGroupId);
  EXPECT_EQ(ask(sync(members[0], "x")), ErrorCode::kUnknownMemberId);
  auto request = sync(members[0], "g");
  request.generation_id = 0;
  EXPECT_EQ(ask(request), ErrorCode::kIllegalGeneration);
  request = sync(members[0], "g");
  request.protocol_name = "sticky";
  EXPECT_EQ(ask(request), ErrorCode::kInconsistentGroupProtocol);
  request.protocol_name.reset();
  EXPECT_EQ(ask(request), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(ask(request, 4), ErrorCode::kNone);
  EXPECT_EQ(text(bench.ask<Sync>(sync(members[0], "g"), 5).assignment), "for 0");
}

// Goal: members that never ask for their assignment are dropped after the rebalance timeout,
// before and after the leader brought it.
TEST(Sync, SilentMembersAreDropped) {
  for (const bool leader_syncs : {false, true}) {
    Bench bench(quick());
    auto request = join("g");
    request.session_timeout_ms = 600'000;
    request.rebalance_timeout_ms = 30'000;
    const Token ta = bench.send(request, 3);
    const Token tb = bench.send(request, 3);
    bench.pass(0ms);
    const Join a = bench.answer<Join>(ta);
    const Token waiting =
        bench.send(leader_syncs ? sync(a, "g") : sync(bench.answer<Join>(tb), "g"), 5);
    bench.pass(30s);
    EXPECT_EQ(bench.answer<Sync>(waiting).error_code,
              leader_syncs ? ErrorCode::kNone : ErrorCode::kRebalanceInProgress);
    EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
    EXPECT_EQ(bench.group("g")->members.size(), 1u);
  }
}

// Goal: an assignment that no log record can hold is refused and the group begins again.
TEST(Sync, RefusesAssignmentsThatCannotBeLogged) {
  Config config = quick();
  config.batch_bytes_max = 10'000;
  Bench bench(config);
  const Token token = bench.send(join("g"), 3);
  bench.pass(0ms);
  const Join joined = bench.answer<Join>(token);
  auto request = sync(joined, "g", {{joined.member_id, base::Bytes(10'000)}});
  EXPECT_EQ(bench.ask<Sync>(request, 5).error_code, ErrorCode::kUnknownServerError);
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
}

// Goal: leaving ends a membership at once; several may leave together, each with its own error.
TEST(Leave, AnswersForEachMember) {
  Bench bench(quick());
  const auto members = stable(bench, {join("g"), join_static("i1"), join_static("i2")});
  const auto pending = bench.ask<Join>(join("g"), 5);
  wire::LeaveGroupRequest request{.group_id = "g"};
  request.members.push_back({.member_id = pending.member_id});
  request.members.push_back({.member_id = "", .group_instance_id = "i1"});
  request.members.push_back({.member_id = "stale", .group_instance_id = "i2"});
  request.members.push_back({.member_id = "", .group_instance_id = "i3"});
  request.members.push_back({.member_id = "nobody"});
  request.members.push_back({.member_id = members[0].member_id});
  const auto response = bench.ask<Leave>(request, 5);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
  std::vector<ErrorCode> errors;
  for (const auto& member : response.members) errors.push_back(member.error_code);
  EXPECT_EQ(errors, (std::vector{ErrorCode::kNone, ErrorCode::kNone, ErrorCode::kFencedInstanceId,
                                 ErrorCode::kUnknownMemberId, ErrorCode::kUnknownMemberId,
                                 ErrorCode::kNone}));
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
  EXPECT_EQ(bench.group("g")->members.size(), 1u);
}

// Goal: before version 3 the one member's error is the answer's; an unknown group knows nobody.
TEST(Leave, OldVersionsHaveOneError) {
  Bench bench(quick());
  const auto members = stable(bench, {join("g")});
  wire::LeaveGroupRequest request{.group_id = "x", .member_id = members[0].member_id};
  EXPECT_EQ(bench.ask<Leave>(request, 2).error_code, ErrorCode::kUnknownMemberId);
  request.group_id = "";
  EXPECT_EQ(bench.ask<Leave>(request, 2).error_code, ErrorCode::kInvalidGroupId);
  request.group_id = "g";
  EXPECT_EQ(bench.ask<Leave>(request, 2).error_code, ErrorCode::kNone);
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
  wire::LeaveGroupRequest many{.group_id = "x"};
  many.members.push_back({.member_id = "m"});
  const auto response = bench.ask<Leave>(many, 3);
  EXPECT_EQ(response.error_code, ErrorCode::kNone);
  EXPECT_EQ(response.members.at(0).error_code, ErrorCode::kUnknownMemberId);
}

// Goal: a member that leaves while the others wait to join lets them go on at once, and a leave
// answers the leaver's own waiting JoinGroup.
TEST(Leave, CompletesAJoinThatWaitedForIt) {
  Bench bench(quick());
  const auto members = stable(bench, {join("g"), join("g")});
  const Token waiting = bench.send(join("g", members[0].member_id), 5);
  EXPECT_FALSE(bench.answered(waiting));
  bench.ask<Leave>(wire::LeaveGroupRequest{.group_id = "g", .member_id = members[1].member_id}, 1);
  EXPECT_EQ(bench.answer<Join>(waiting).members.size(), 1u);
}

// Goal: a static member that restarts in a Stable group gets its place and assignment back without
// a rebalance, and its former self is fenced; the new id survives a crash.
TEST(Static, RestartKeepsTheGenerationAndFencesTheOld) {
  Bench bench(quick());
  const auto members = stable(bench, {join_static("i0"), join_static("i1")});
  const auto back = bench.ask<Join>(join_static("i1"), 9);
  EXPECT_EQ(back.error_code, ErrorCode::kNone);
  EXPECT_EQ(back.generation_id, 1);
  EXPECT_NE(back.member_id, members[1].member_id);
  EXPECT_FALSE(back.skip_assignment);
  EXPECT_EQ(bench.group("g")->state, GroupState::kStable);
  EXPECT_EQ(text(bench.ask<Sync>(sync(back, "g"), 5).assignment), "for 1");
  auto beat = heartbeat(members[1], "g");
  beat.group_instance_id = "i1";
  EXPECT_EQ(bench.ask<Beat>(beat, 4).error_code, ErrorCode::kFencedInstanceId);
  EXPECT_EQ(bench.ask<Join>(join_static("i1", members[1].member_id), 9).error_code,
            ErrorCode::kFencedInstanceId);
  bench.restart();
  EXPECT_EQ(bench.group("g")->static_members.at("i1"), back.member_id);
}

// Goal: a returning static leader is told to skip the assignment (v9+); an older client is told
// that its former self leads, so that it does not assign either.
TEST(Static, ReturningLeaderDoesNotAssignAgain) {
  Bench bench(quick());
  const auto members = stable(bench, {join_static("i0"), join_static("i1")});
  const auto back = bench.ask<Join>(join_static("i0"), 9);
  EXPECT_TRUE(back.skip_assignment);
  EXPECT_EQ(back.leader, back.member_id);
  EXPECT_EQ(back.members.size(), 2u);
  const auto older = bench.ask<Join>(join_static("i0"), 8);
  EXPECT_FALSE(older.skip_assignment);
  EXPECT_EQ(older.leader, back.member_id);
  EXPECT_NE(older.member_id, back.member_id);
  EXPECT_TRUE(older.members.empty());
}

// Goal: if the return changes the chosen protocol the group rebalances.
TEST(Static, RestartWithAnotherProtocolRebalances) {
  Bench bench(quick());
  auto both = join_static("i0");
  both.protocols.push_back({.name = "sticky", .metadata = {}});
  stable(bench, {both});
  auto other = join_static("i0");
  other.protocols = {{.name = "sticky", .metadata = {}}};
  const auto back = bench.ask<Join>(other, 5);
  EXPECT_EQ(back.generation_id, 2);
  EXPECT_EQ(back.protocol_name, "sticky");
}

// Goal: a return while the group is rebalancing: the old request is fenced, the new one counts.
TEST(Static, RestartDuringARebalance) {
  Bench bench(quick());
  const auto members = stable(bench, {join_static("i0"), join_static("i1")});
  const Token old = bench.send(join_static("i0", members[0].member_id), 5);  // the leader
  EXPECT_FALSE(bench.answered(old));
  const Token fresh = bench.send(join_static("i0"), 5);
  EXPECT_EQ(bench.answer<Join>(old).error_code, ErrorCode::kFencedInstanceId);
  const auto other = bench.ask<Join>(join_static("i1", members[1].member_id), 5);
  EXPECT_EQ(other.generation_id, 2);
  EXPECT_EQ(bench.answer<Join>(fresh).generation_id, 2);

  // CompletingRebalance: the leader may be assigning to the old id, so it begins again.
  const Token waiting = bench.send(sync(other, "g"), 5);
  const Token again = bench.send(join_static("i1"), 5);
  EXPECT_EQ(bench.answer<Sync>(waiting).error_code, ErrorCode::kFencedInstanceId);
  EXPECT_FALSE(bench.answered(again));
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
}

// Goal: static members that do not join again stay until their session ends, even if nobody joins.
TEST(Static, StaysThroughARebalanceItMisses) {
  Bench bench(quick());
  auto patient = join_static("i0");
  patient.session_timeout_ms = 300'000;
  patient.rebalance_timeout_ms = 10'000;
  auto leaver = join("g");
  leaver.rebalance_timeout_ms = 10'000;
  const auto members = stable(bench, {patient, leaver});
  bench.ask<Leave>(wire::LeaveGroupRequest{.group_id = "g", .member_id = members[1].member_id}, 1);
  bench.pass(100s);
  EXPECT_EQ(bench.group("g")->members.size(), 1u);
  EXPECT_EQ(bench.group("g")->state, GroupState::kPreparingRebalance);
  bench.pass(250s);
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
}

// Goal: a static member that restarts between its JoinGroup and its SyncGroup is still expected to
// sync, under its new id. Method: the leader has synced; the other restarts and falls silent.
TEST(Static, RestartBeforeItsSyncIsStillAwaited) {
  Bench bench(quick());
  auto patient = join_static("i1");
  patient.session_timeout_ms = 600'000;
  auto leader = join_static("i0");
  leader.session_timeout_ms = 600'000;
  const Token ta = bench.send(leader, 5);
  bench.send(patient, 5);
  bench.pass(0ms);
  const Join a = bench.answer<Join>(ta);
  auto leader_sync = sync(a, "g");
  leader_sync.group_instance_id = "i0";
  bench.send(leader_sync, 5);
  const auto back = bench.ask<Join>(patient, 9);
  EXPECT_TRUE(bench.group("g")->pending_sync.contains(back.member_id));
  bench.pass(60s);
  EXPECT_FALSE(bench.group("g")->members.contains(back.member_id));
}

// Goal: an id that was given out belongs to a dynamic member.
TEST(Static, PendingIdsAreForDynamicMembers) {
  Bench bench(quick());
  const auto given = bench.ask<Join>(join("g"), 5);
  EXPECT_EQ(bench.ask<Join>(join_static("i0", given.member_id), 5).error_code,
            ErrorCode::kUnknownServerError);
}

}  // namespace
}  // namespace broker::group::testing
