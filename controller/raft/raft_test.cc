// Directed scenarios; what random faults find is in tests/sim/workload/raft.cc.
#include <gtest/gtest.h>

#include "controller/raft/test_raft.h"

namespace controller::raft {
namespace {

// Goal: alone in the quorum, a member leads in its first step with one write, and commits only once
// that is durable.
TEST(Raft, SoleVoterLeadsAtOnceAndCommitsAfterSync) {
  Bench bench(config(1, 1));
  Output out = bench.step(Start{});
  EXPECT_TRUE(bench.raft.leading());
  EXPECT_FALSE(bench.raft.ready());
  EXPECT_EQ(out.hard_state, (HardState{Term(1), NodeId(1)}));
  ASSERT_EQ(out.append.size(), 1u);
  EXPECT_TRUE(out.committed.empty());
  out = bench.step(Propose{{data("a"), data("b")}});
  EXPECT_TRUE(out.committed.empty());
  out = bench.synced();
  ASSERT_EQ(out.committed.size(), 3u);
  EXPECT_EQ(*out.committed[2].data, "b");
  EXPECT_TRUE(bench.raft.ready());
  EXPECT_EQ(bench.raft.wake_at(), base::Instant::max());
}

// Goal: what was proposed after a write began is not committed by that write's end.
TEST(Raft, SyncCoversOnlyWhatWasWritten) {
  Bench bench(config(1, 1));
  bench.step(Start{});
  const auto first = bench.write_id;
  bench.step(Propose{{data("late")}});
  EXPECT_EQ(bench.step(Synced{first}).committed.size(), 1u);
  EXPECT_EQ(bench.synced().committed.size(), 1u);
}

// Goal: a sole voter that crashed after its entry but not its term was kept goes on above that
// term.
TEST(Raft, SoleVoterRecoversTermFromEntries) {
  Recovered recovered;
  recovered.hard_state = {Term(3), NodeId(1)};
  recovered.entries = {entry(1, 3), entry(2, 4)};
  Bench bench(config(1, 1), std::move(recovered));
  bench.step(Start{});
  EXPECT_EQ(bench.raft.term(), Term(5));
  EXPECT_EQ(bench.synced().committed.size(), 3u);
}

// Goal: a vote leaves only behind its write; the same term gives no second one, even after a
// restart from what was written.
TEST(Raft, VotesOncePerTermAndDurably) {
  Bench bench(config(1, 3));
  const VoteRequest request{false, Index(0), Term(0)};
  Output out = bench.receive(2, 7, request);
  ASSERT_TRUE(out.hard_state.has_value());
  EXPECT_EQ(*out.hard_state, (HardState{Term(7), NodeId(2)}));
  EXPECT_TRUE(out.send.empty());
  ASSERT_NE(find<VoteReply>(out.send_after_sync, 2), nullptr);
  EXPECT_TRUE(find<VoteReply>(out.send_after_sync, 2)->granted);
  EXPECT_FALSE(find<VoteReply>(bench.receive(3, 7, request).send_after_sync, 3)->granted);

  Bench again(config(1, 3), Recovered{*out.hard_state, {}, {}});
  EXPECT_FALSE(find<VoteReply>(again.receive(3, 7, request).send_after_sync, 3)->granted);
  EXPECT_TRUE(find<VoteReply>(again.receive(2, 7, request).send_after_sync, 2)->granted);
}

// Goal: nobody with a shorter log gets a vote. Method: an older last term; the same with a shorter
// log; then an equal one.
TEST(Raft, RefusesVoteToOlderLog) {
  Recovered recovered{{Term(4), kNobody}, {}, {entry(1, 2), entry(2, 4)}};
  Bench bench(config(1, 3), std::move(recovered));
  const auto granted = [&](std::int64_t term, VoteRequest request) {
    const Output out = bench.receive(2, term, request);
    return find<VoteReply>(out.send_after_sync, 2)->granted;
  };
  EXPECT_FALSE(granted(5, {false, Index(9), Term(3)}));
  EXPECT_FALSE(granted(6, {false, Index(1), Term(4)}));
  EXPECT_TRUE(granted(7, {false, Index(2), Term(4)}));
}

// Goal: a candidate asks for votes behind its own durable one, and its own counts only then.
TEST(Raft, CandidateCountsItsVoteWhenDurable) {
  Bench bench(config(1, 3));
  bench.now = bench.raft.wake_at();
  EXPECT_NE(find<VoteRequest>(bench.step(Tick{}).send, 2), nullptr);  // pre-vote
  Output out = bench.receive(2, 1, VoteReply{true, true});
  EXPECT_EQ(find<VoteRequest>(out.send, 2), nullptr);
  EXPECT_NE(find<VoteRequest>(out.send_after_sync, 2), nullptr);
  bench.receive(2, 1, VoteReply{false, true});
  EXPECT_EQ(bench.raft.role(), Role::kCandidate);
  bench.synced();
  EXPECT_TRUE(bench.raft.leading());
}

// Goal: a pre-vote changes nobody's term, and is refused while the leader is heard.
TEST(Raft, PreVoteDisturbsNobody) {
  Bench bench(config(1, 3));
  bench.receive(2, 3, AppendRequest{Index(0), Term(0), {}, Index(0)});
  const VoteRequest request{true, Index(9), Term(3)};
  Output out = bench.receive(3, 8, request);
  EXPECT_FALSE(find<VoteReply>(out.send_after_sync, 3)->granted);
  EXPECT_EQ(bench.raft.term(), Term(3));
  // Nor does a real request of a member that was cut off.
  out = bench.receive(3, 8, VoteRequest{false, Index(9), Term(3)});
  EXPECT_EQ(bench.raft.term(), Term(3));
  bench.now += milliseconds(1000);
  out = bench.receive(3, 8, request);
  EXPECT_TRUE(find<VoteReply>(out.send_after_sync, 3)->granted);
  EXPECT_EQ(bench.raft.term(), Term(3));
}

// Goal (Raft, figure 8): entries of an older term are not committed by being on a majority, but by
// an entry of the own term that is.
TEST(Raft, CommitsOlderTermsOnlyThroughOwn) {
  Recovered recovered{{Term(4), kNobody}, {}, {entry(1, 1), entry(2, 2)}};
  Bench bench(config(1, 5), std::move(recovered));
  bench.now = bench.raft.wake_at();
  bench.step(Tick{});
  for (std::int32_t from : {2, 3}) bench.receive(from, 5, VoteReply{true, true});
  bench.synced();
  for (std::int32_t from : {2, 3}) bench.receive(from, 5, VoteReply{false, true});
  ASSERT_TRUE(bench.raft.leading());
  bench.synced();  // own entry, index 3
  for (std::int32_t from : {2, 3, 4}) {
    EXPECT_TRUE(bench.receive(from, 5, AppendReply{true, Index(2), Index(1)}).committed.empty());
  }
  bench.receive(2, 5, AppendReply{true, Index(3), Index(2)});
  EXPECT_EQ(bench.raft.commit(), Index(0));
  const Output out = bench.receive(3, 5, AppendReply{true, Index(3), Index(2)});
  EXPECT_EQ(out.committed.size(), 3u);
}

// Goal: the leader's own entry counts only once it is on its disk.
TEST(Raft, LeaderCountsItselfWhenDurable) {
  Bench bench(config(1, 3));
  bench.win();
  bench.receive(2, bench.raft.term().value(), AppendReply{true, Index(1), Index(0)});
  EXPECT_EQ(bench.raft.commit(), Index(0));
  EXPECT_EQ(bench.synced().committed.size(), 1u);
}

// Goal: a follower drops what conflicts, keeps what agrees, answers behind its write, and commits
// no further than what it knows to match.
TEST(Raft, FollowerReplacesConflictingEntries) {
  Recovered recovered{{Term(3), kNobody}, {}, {entry(1, 1), entry(2, 2), entry(3, 2)}};
  Bench bench(config(1, 3), std::move(recovered));
  // Does not match: refused with a hint.
  Output out = bench.receive(2, 4, AppendRequest{Index(5), Term(4), {}, Index(5)});
  const auto* refusal = find<AppendReply>(out.send_after_sync, 2);
  ASSERT_NE(refusal, nullptr);
  EXPECT_FALSE(refusal->accepted);
  EXPECT_EQ(refusal->index, Index(3));
  EXPECT_EQ(bench.raft.commit(), Index(0));
  // Entry 2 agrees, 3 conflicts.
  out = bench.receive(
      2, 4, AppendRequest{Index(1), Term(1), {entry(2, 2), entry(3, 4, "new")}, Index(9)});
  ASSERT_EQ(out.append.size(), 1u);
  EXPECT_EQ(out.append[0].index, Index(3));
  EXPECT_EQ(*bench.raft.log().at(Index(3)).data, "new");
  EXPECT_TRUE(find<AppendReply>(out.send_after_sync, 2)->accepted);
  EXPECT_EQ(out.committed.size(), 3u);
  // An old request again takes nothing away.
  out = bench.receive(2, 4, AppendRequest{Index(0), Term(0), {entry(1, 1)}, Index(3)});
  EXPECT_EQ(bench.raft.log().last_index(), Index(3));
  EXPECT_EQ(find<AppendReply>(out.send_after_sync, 2)->index, Index(3));
}

// Goal: a write that ends after its entries were replaced does not make the new ones durable.
TEST(Raft, LateSyncOfReplacedEntriesDoesNotCount) {
  Bench bench(config(1, 3));
  bench.receive(2, 1, AppendRequest{Index(0), Term(0), {entry(1, 1), entry(2, 1)}, Index(0)});
  const auto old_write = bench.write_id;
  bench.receive(3, 2,
                AppendRequest{Index(0), Term(0), {entry(1, 2, "n"), entry(2, 2, "n")}, Index(0)});
  bench.step(Synced{old_write});
  // Now it leads: nothing of the log is durable here.
  bench.now = bench.raft.wake_at();
  bench.step(Tick{});
  bench.receive(2, 3, VoteReply{true, true});
  EXPECT_EQ(bench.raft.role(), Role::kCandidate);
  EXPECT_FALSE(bench.raft.match_of(NodeId(1)).has_value());
  bench.receive(2, 3, VoteReply{false, true});
  bench.synced();
  ASSERT_TRUE(bench.raft.leading());
  EXPECT_EQ(bench.raft.match_of(NodeId(1)), Index(2));
}

// Goal: a leader that hears no majority steps down within the election timeout; one that does
// stays.
TEST(Raft, LeaderWithoutMajorityStepsDown) {
  Bench bench(config(1, 3));
  bench.win();
  bench.synced();
  const auto term = bench.raft.term();
  for (int i = 0; i < 30; ++i) {
    bench.now += milliseconds(100);
    bench.step(Tick{});
    if (i < 15) bench.receive(3, term.value(), AppendReply{true, Index(1), Index(0)});
  }
  EXPECT_FALSE(bench.raft.leading());
  EXPECT_EQ(bench.raft.term(), term);
}

// Goal: a follower that lacks what the snapshot covers gets the snapshot, once, then entries.
TEST(Raft, SendsSnapshotToFollowerThatIsBehind) {
  Bench bench(config(1, 3));
  bench.win();
  bench.synced();
  const auto term = bench.raft.term().value();
  bench.step(Propose{{data("a"), data("b")}});
  bench.synced();
  bench.receive(2, term, AppendReply{true, Index(3), Index(0)});
  ASSERT_EQ(bench.raft.commit(), Index(3));
  bench.step(Compact{{Index(3), Term(term), data("state")}});
  Output out = bench.receive(3, term, AppendReply{false, Index(0), Index(0)});
  EXPECT_NE(find<SnapshotRequest>(out.send, 3), nullptr);
  bench.now += milliseconds(100);
  EXPECT_EQ(find<SnapshotRequest>(bench.step(Tick{}).send, 3), nullptr);
  bench.step(Propose{{data("c")}});
  out = bench.receive(3, term, AppendReply{true, Index(3), Index(0)});
  const auto* append = find<AppendRequest>(out.send, 3);
  ASSERT_NE(append, nullptr);
  EXPECT_EQ(append->prev_index, Index(3));
  EXPECT_EQ(append->entries.size(), 1u);
}

// Goal: a snapshot replaces a log that does not reach it, and only moves the commit index of one
// that does.
TEST(Raft, FollowerInstallsSnapshot) {
  const Snapshot snapshot{Index(5), Term(2), data("state")};
  {
    Bench bench(config(1, 3), {{Term(2), kNobody}, {}, {entry(1, 1)}});
    Output out = bench.receive(2, 2, SnapshotRequest{snapshot});
    ASSERT_TRUE(out.install.has_value());
    EXPECT_EQ(bench.raft.commit(), Index(5));
    EXPECT_EQ(bench.raft.log().last_index(), Index(5));
    EXPECT_EQ(find<AppendReply>(out.send_after_sync, 2)->index, Index(5));
    EXPECT_TRUE(out.send.empty());
  }
  Recovered longer{{Term(2), kNobody}, {}, {}};
  for (int i = 1; i <= 6; ++i) longer.entries.push_back(entry(i, 2));
  Bench bench(config(1, 3), std::move(longer));
  const Output out = bench.receive(2, 2, SnapshotRequest{snapshot});
  EXPECT_FALSE(out.install.has_value());
  EXPECT_EQ(out.committed.size(), 5u);
  EXPECT_EQ(bench.raft.log().last_index(), Index(6));
}

// Goal: what is addressed to others, or to the disk that this member had before, does nothing.
TEST(Raft, IgnoresWhatIsNotForIt) {
  Bench bench(config(1, 3));
  const AppendRequest append{Index(0), Term(0), {}, Index(0)};
  const VoteRequest vote{false, Index(0), Term(0)};
  bench.step(Receive{{NodeId(2), NodeId(3), Term(9), append, disk(2), disk(1)}});
  bench.step(Receive{{NodeId(1), NodeId(1), Term(9), append, disk(2), disk(1)}});
  bench.step(Receive{{NodeId(2), NodeId(1), Term(9), vote, disk(2), disk(1, 7)}});
  bench.step(Receive{{NodeId(2), NodeId(1), Term(9), vote, disk(2), {}}});
  EXPECT_EQ(bench.raft.term(), Term(0));
}

}  // namespace
}  // namespace controller::raft
