// Changes of the members and of the leader, step by step; what random faults find is in
// tests/sim/workload/raft.cc.
#include <gtest/gtest.h>

#include "controller/raft/test_raft.h"

namespace controller::raft {
namespace {

// Member 1 of three, leading, with its first entry committed.
struct Leader : Bench {
  explicit Leader(std::int32_t count = 3) : Bench(config(1, count)) {
    win();
    synced();
    accept(2);
    EXPECT_TRUE(raft.ready());
  }
  // A member has the whole log on its disk.
  Output accept(std::int32_t from) { return accept(from, disk(from)); }
  Output accept(std::int32_t from, base::Uuid directory) {
    const Index end = raft.log().last_index();
    return step(Receive{{NodeId(from), NodeId(1), raft.term(), AppendReply{true, end, Index(0)},
                         directory, disk(1)}});
  }
  Output change(Membership next) {
    Output out = step(ChangeMembers{std::move(next)});
    step(Synced{write_id});
    return out;
  }
  const Member* member(std::int32_t id) { return raft.members().find(NodeId(id)); }
};

Member learner(std::int32_t id) { return {NodeId(id), disk(id), false, "host", 7}; }

// Goal: the first entry names the members that found the log, so that others learn of them by it.
TEST(RaftMembers, FirstEntryNamesTheFounders) {
  Setting setting = config(1, 3);
  const Membership first = *setting.members;
  setting.members = nullptr;
  Bench bench(setting);
  bench.now = bench.raft.wake_at();
  EXPECT_TRUE(bench.step(Tick{}).send.empty());  // knows nobody, and does not stand
  bench.step(Found{first});
  EXPECT_EQ(bench.raft.role(), Role::kPreCandidate);
  bench.receive(2, 1, VoteReply{true, true});
  bench.synced();
  const Output out = bench.receive(2, 1, VoteReply{false, true});
  ASSERT_TRUE(bench.raft.leading());
  const auto* append = find<AppendRequest>(out.send, 3);
  ASSERT_NE(append, nullptr);
  ASSERT_NE(append->entries.front().members, nullptr);
  EXPECT_EQ(*append->entries.front().members, first);
}

// Goal: a newcomer gets the log and no vote until it has caught up; then it has one.
TEST(RaftMembers, LearnerBecomesVoterWhenItHasCaughtUp) {
  Leader bench;
  bench.step(Propose{{data("a")}});
  bench.synced();
  Output out = bench.change(bench.raft.members().with(learner(4)));
  EXPECT_NE(find<AppendRequest>(out.send, 4), nullptr);
  EXPECT_EQ(bench.raft.members().voters(), 3u);
  // It counts for nothing: with it alone nothing is committed.
  const Index before = bench.raft.commit();
  bench.accept(4);
  EXPECT_EQ(bench.raft.commit(), before);
  EXPECT_FALSE(bench.member(4)->voter);
  const Index change = bench.raft.log().members_index();
  bench.accept(2);
  EXPECT_EQ(bench.raft.commit(), change);
  EXPECT_TRUE(bench.member(4)->voter);
  EXPECT_EQ(bench.raft.members().voters(), 4u);
}

// Goal: one change at a time.
TEST(RaftMembers, NextChangeWaitsForTheLast) {
  Leader bench;
  EXPECT_TRUE(bench.raft.can_change());
  bench.change(bench.raft.members().with(learner(4)));
  EXPECT_FALSE(bench.raft.can_change());
  bench.accept(2);
  EXPECT_TRUE(bench.raft.can_change());
}

// Goal: nobody is removed when those who remain could not decide anything. Method: of three one is
// silent; removing the other one that answers would leave the leader alone of two.
TEST(RaftMembers, RefusesChangeThatLeavesNoMajority) {
  Leader bench;
  const Membership next = bench.raft.members().without(NodeId(2));
  EXPECT_FALSE(bench.raft.can_reach_majority(next));
  bench.change(next);
  EXPECT_NE(bench.member(2), nullptr);
  bench.change(bench.raft.members().without(NodeId(3)));
  EXPECT_EQ(bench.member(3), nullptr);
}

// Goal: who answers from another disk counts no longer, loses its vote, and gets it back when it
// has caught up there.
TEST(RaftMembers, WipedMemberStartsAsLearner) {
  Leader bench;
  bench.accept(3);
  bench.step(Propose{{data("a")}});
  bench.synced();
  const Index before = bench.raft.commit();
  const base::Uuid fresh = disk(2, 9);
  bench.accept(2, fresh);  // says that it has all: on a disk that nobody counts on
  EXPECT_EQ(bench.raft.commit(), before);
  EXPECT_FALSE(bench.member(2)->voter);
  EXPECT_EQ(bench.member(2)->directory, fresh);
  bench.synced();
  bench.accept(3);
  EXPECT_GT(bench.raft.commit(), before);
  bench.accept(2, fresh);
  EXPECT_TRUE(bench.member(2)->voter);
}

// Goal: a member without the disk that it is known by does not stand, nor does one that is gone.
TEST(RaftMembers, OnlyVotersStand) {
  Setting setting = config(1, 3);
  setting.config.directory = disk(1, 2);
  Bench wiped(setting);
  for (int i = 0; i < 3; ++i) {
    wiped.now = wiped.raft.wake_at();
    EXPECT_TRUE(wiped.step(Tick{}).send.empty());
  }
  EXPECT_EQ(wiped.raft.role(), Role::kFollower);
}

// Goal: a leader that is removed leads until that is committed by the others, and no longer.
TEST(RaftMembers, RemovedLeaderLeavesWhenThatIsCommitted) {
  Leader bench;
  bench.accept(3);
  bench.change(bench.raft.members().without(NodeId(1)));
  EXPECT_TRUE(bench.raft.leading());
  bench.accept(2);
  EXPECT_TRUE(bench.raft.leading());  // itself does not count
  const Output out = bench.accept(3);
  EXPECT_FALSE(bench.raft.leading());
  EXPECT_NE(find<TimeoutNow>(out.send, 2), nullptr);
  EXPECT_FALSE(bench.raft.votes());
}

// Goal: an entry that changes the members and is replaced changes nothing.
TEST(RaftMembers, TruncatedChangeIsUndone) {
  Bench bench(config(1, 3));
  Entry change = entry(1, 1, "");
  change.members = std::make_shared<const Membership>(voters(2));
  bench.receive(2, 1, AppendRequest{Index(0), Term(0), {change}, Index(0)});
  EXPECT_EQ(bench.raft.members().members.size(), 2u);
  bench.receive(3, 2, AppendRequest{Index(0), Term(0), {entry(1, 2)}, Index(0)});
  EXPECT_EQ(bench.raft.members().members.size(), 3u);
}

// Goal: the successor is told when it has everything; it stands at once, and is given votes
// although the leader was just heard. Until it leads the old leader takes no decisions, for a
// while.
TEST(RaftTransfer, SuccessorStandsAtOnce) {
  Leader bench;
  bench.step(Propose{{data("a")}});
  Output out = bench.step(Transfer{});
  EXPECT_EQ(find<TimeoutNow>(out.send, 2), nullptr);  // it lacks an entry
  EXPECT_FALSE(bench.raft.ready());
  bench.synced();
  out = bench.accept(2);
  EXPECT_NE(find<TimeoutNow>(out.send, 2), nullptr);
  bench.now += std::chrono::milliseconds(1000);
  bench.receive(3, bench.raft.term().value(), AppendReply{false, Index(0), Index(0)});
  bench.step(Tick{});
  EXPECT_TRUE(bench.raft.ready());

  Bench successor(config(1, 3));
  successor.receive(2, 3, AppendRequest{Index(0), Term(0), {}, Index(0)});
  out = successor.receive(2, 3, TimeoutNow{});
  EXPECT_EQ(successor.raft.role(), Role::kCandidate);
  const auto* vote = find<VoteRequest>(out.send_after_sync, 3);
  ASSERT_NE(vote, nullptr);
  EXPECT_TRUE(vote->transfer);

  Bench voter(config(1, 3));
  voter.receive(2, 3, AppendRequest{Index(0), Term(0), {}, Index(0)});
  out = voter.receive(3, 4, VoteRequest{false, Index(0), Term(0), true});
  EXPECT_TRUE(find<VoteReply>(out.send_after_sync, 3)->granted);
}

// Goal: a follower whose leader's process is gone stands soon; a guess about another changes
// nothing.
TEST(RaftTransfer, GoneLeaderIsNotWaitedFor) {
  Bench bench(config(1, 3));
  bench.receive(2, 1, AppendRequest{Index(0), Term(0), {}, Index(0)});
  bench.step(LeaderGone{NodeId(3)});
  EXPECT_EQ(bench.raft.leader(), NodeId(2));
  bench.step(LeaderGone{NodeId(2)});
  EXPECT_EQ(bench.raft.leader(), kNobody);
  EXPECT_LT(bench.raft.wake_at() - bench.now, std::chrono::milliseconds(250));
  // And it gives others the pre-vote that it would have refused.
  const Output out = bench.receive(3, 2, VoteRequest{true, Index(0), Term(0)});
  EXPECT_TRUE(find<VoteReply>(out.send_after_sync, 3)->granted);
}

}  // namespace
}  // namespace controller::raft
