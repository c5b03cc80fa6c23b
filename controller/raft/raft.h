// Raft (Ongaro & Ousterhout 2014) for the metadata log: elections with pre-vote and check-quorum,
// log replication, snapshots. Pure: events in, effects out; the node carries them out.
//
//            timeout                majority would          majority voted
//   follower -------> pre-candidate ---------------> candidate -----------> leader
//      ^   (alone in the quorum: straight to leader)     |                    |
//      +----------- higher term, or a leader of this term --- lost quorum ----+
//
// The node's duties, which the proofs stand on:
// - Writes (hard_state, then install, then append, where an entry replaces all that the log holds
//   from its index on) are carried out in order, and reported by Synced once durable.
// - `send` may leave at once; `send_after_sync` only when all writes so far are durable.
// - A failed write or sync ends the member: it must stop, and start again from what the disk holds.
// - step(Tick) no later than `wake_at` says.
//
// Members (protocol.h) live in the log. One changes at a time: a newcomer is a learner until it has
// caught up, then a voter. Votes are asked of, and given by, named disks only; a leader counts what
// the disk holds that it knows. So a member whose disk was wiped neither votes nor counts: the
// leader makes it a learner under its new disk's name, and a voter again once it has caught up.
// A log begins with Found, which the node may give only when no other voter has a log yet.
#pragma once

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "controller/raft/protocol.h"
#include "controller/raft/raft_log.h"

namespace controller::raft {

struct Config {
  NodeId self;
  base::Uuid directory;  // of this member's disk
  // A follower stands for election after a random time in [timeout, 2 * timeout) of silence; a
  // leader that hears no majority for `election_timeout` steps down.
  base::Duration election_timeout = std::chrono::milliseconds(1000);
  base::Duration heartbeat = std::chrono::milliseconds(200);
  std::size_t append_bytes_max = 1 << 20;  // data in one AppendRequest (one entry may exceed it)
  std::size_t appends_in_flight_max = 16;  // unanswered AppendRequests to one follower
};

// What the disk held.
struct Recovered {
  HardState hard_state;
  Snapshot snapshot;
  std::vector<Entry> entries;
};

struct Start {};  // first event
struct Tick {};   // time has passed
struct Receive {
  Message message;
};
// Only a leader takes proposals: ask leading() first. They get the indexes after last_index().
struct Propose {
  std::vector<Data> batches;
};
// All writes up to and including the output with this write_id are durable.
struct Synced {
  std::uint64_t write_id = 0;
};
// The state machine's state at a committed index; entries up to it are no longer needed.
struct Compact {
  Snapshot snapshot;
};
// The first members, this one among them. Only for a log that knows none.
struct Found {
  Membership members;
};
// The next members; they differ from the present ones in one. Only when can_change(); ignored
// when a majority of them is not reached.
struct ChangeMembers {
  Membership members;
};
// A leader hands its place to `to`, or to whoever has most of the log. Until that member leads, or
// an election timeout has passed in vain, this one is not ready().
struct Transfer {
  NodeId to = kNobody;
};
// The process of the leader is gone, as far as the network can tell: there is no need to wait out
// its silence. A guess may be wrong: the others still have to agree.
struct LeaderGone {
  NodeId leader;
};
using Input = std::variant<Start, Tick, Receive, Propose, Synced, Compact, Found, ChangeMembers,
                           Transfer, LeaderGone>;

// What a leader knows of another member; for DescribeQuorum.
struct Peer {
  Member member;
  bool wiped = false;  // it answers from another disk than the one that it is a member by
  Index match;
  std::optional<base::Instant> heard;
  std::optional<base::Instant> caught_up;  // when it last had everything
};

// Effects of one or more steps; step() only adds to it.
struct Output {
  std::optional<HardState> hard_state;
  // A leader's snapshot replaces log and state machine; `committed` continues behind it.
  std::optional<Snapshot> install;
  std::vector<Entry> append;
  std::uint64_t write_id = 0;  // of the last write above; 0: nothing to write
  std::vector<Message> send;
  std::vector<Message> send_after_sync;
  std::vector<Entry> committed;
  // Role, term or leader changed.
  bool role_changed = false;

  bool has_writes() const { return hard_state || install || !append.empty(); }
};

enum class Role { kFollower, kPreCandidate, kCandidate, kLeader };

// Invariants: applied and sent commit <= last index; the commit index never falls; an entry of an
// own term is committed before older ones count as such; at most one vote per term.
class Raft {
 public:
  Raft(Config config, Recovered recovered, base::Random random, base::Instant now);

  void step(const Input& input, base::Instant now, Output& out);

  Role role() const { return role_; }
  bool leading() const { return role_ == Role::kLeader; }
  // A leader whose own term has a committed entry: everything committed before is known to be. Not
  // while it hands its place over.
  bool ready() const;
  // Whether the members may be changed now: ready, and the last change is committed.
  bool can_change() const;
  // Whether a majority of the voters among `next` answers this leader now. A change to others could
  // never be committed, nor taken back.
  bool can_reach_majority(const Membership& next) const;
  bool transferring() const { return transferring_; }
  // As this member's log has them, committed or not; empty when it has none.
  const Membership& members() const;
  // Of the quorum, by the disk that it has.
  bool votes() const;
  Term term() const { return hard_.term; }
  NodeId leader() const { return leader_; }  // kNobody when unknown
  Index commit() const { return commit_; }
  const RaftLog& log() const { return log_; }
  base::Instant wake_at() const;
  // Of a follower, as far as this leader knows.
  std::optional<Index> match_of(NodeId node) const;
  // While leading: the others.
  std::vector<Peer> peers() const;

  // CHECKs what must hold between steps; tests call it after each.
  void check_invariants() const;

 private:
  // What a leader knows of one follower.
  struct Progress {
    Index next;                 // first entry of the next request
    Index match;                // the logs are known to be equal up to here
    std::size_t in_flight = 0;  // unanswered requests
    bool probing = true;        // one request at a time, until one is accepted
    Index match_at_heartbeat;   // no progress since then on what was
    Index next_at_heartbeat;    // unanswered then: send again
    bool snapshotting = false;  // a snapshot is on its way
    base::Instant snapshot_at;  // since when
    base::Instant heard;        // last message of this term
    base::Uuid directory;       // of the disk that `match` is about
    bool answered = false;      // in this term
    Index end_at_answer;        // the own log's end at the last answer
    std::optional<base::Instant> caught_up;
  };
  // A write on its way to the disk.
  struct Pending {
    std::uint64_t write_id;
    Index last_index;
    HardState hard;
  };

  // raft.cc
  void on(const Start&, Output& out);
  void on(const Tick&, Output& out);
  void on(const Receive& event, Output& out);
  void on(const Propose& event, Output& out);
  void on(const Synced& event, Output& out);
  void on(const Compact& event, Output& out);
  void send(NodeId to, Term term, decltype(Message::body) body, std::vector<Message>& queue);

  // members.cc
  void on(const Found& event, Output& out);
  void on(const ChangeMembers& event, Output& out);
  void on(const Transfer& event, Output& out);
  void on(const LeaderGone& event, Output& out);
  bool is_majority(std::size_t count) const { return count > members().voters() / 2; }
  bool alone() const;  // the only member, and a voter
  bool may_stand() const;
  bool counts(const Member& member) const;
  void change_members(Membership members, Output& out);
  void follow_members(Index next);
  void maybe_change_members(Output& out);
  void maybe_leave(Output& out);
  void hand_over(Output& out);
  void on_timeout_now(const Message& message, Output& out);

  // election.cc
  void restart_election_timer();
  bool heard_leader_lately() const;
  void become_follower(Term term, NodeId leader, Output& out);
  void stand(bool pre, Output& out, bool transfer = false);
  void set_hard_state(HardState next, Output& out);
  void count_own_vote(Output& out);
  void count_votes(Output& out);
  void become_leader(Output& out);
  void check_quorum(Output& out);
  void on_vote_request(const Message& message, const VoteRequest& request, Output& out);
  void on_vote_reply(const Message& message, const VoteReply& reply, Output& out);

  // append.cc
  void append_as_leader(Data data, Output& out, MembershipPtr members = nullptr);
  void replicate(NodeId to, Progress& progress, bool even_if_empty, Output& out);
  void send_snapshot(NodeId to, Progress& progress, Output& out);
  void heartbeat(Output& out);
  void on_append_request(const Message& message, const AppendRequest& request, Output& out);
  void on_append_reply(const Message& message, const AppendReply& reply, Output& out);
  void on_snapshot_request(const Message& message, const SnapshotRequest& request, Output& out);
  void advance_commit_as_leader(Output& out);
  void commit_to(Index index, Output& out);
  void drop_from(Index from);

  Config config_;
  base::Random random_;
  base::Instant now_;
  HardState hard_;
  RaftLog log_;
  Role role_ = Role::kFollower;
  NodeId leader_ = kNobody;
  Index commit_;
  base::Instant election_at_;
  base::Instant heartbeat_at_;
  base::Instant quorum_check_at_;
  base::Instant heard_leader_at_;
  bool heard_leader_ = false;
  std::map<NodeId, bool> votes_;          // answers in this election
  std::map<NodeId, Progress> followers_;  // while leading
  Index term_start_;                      // while leading: the entry that opened the term
  bool transferring_ = false;             // while leading
  NodeId transfer_to_ = kNobody;
  base::Instant transfer_until_;
  // Disk.
  bool wrote_ = false;  // in this step
  std::uint64_t last_write_id_ = 0;
  std::vector<Pending> pending_;
  Index durable_;  // this member's log is on disk up to here
  HardState durable_hard_;
};

}  // namespace controller::raft
