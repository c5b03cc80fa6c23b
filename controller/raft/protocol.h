// The values of the Raft core: terms, indexes, entries and the messages between members.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"

namespace controller::raft {

using NodeId = base::Strong<struct RaftNodeTag, std::int32_t>;
using Term = base::Strong<struct RaftTermTag, std::int64_t>;
// Place of an entry in the metadata log; the first is 1, and 0 means "before everything".
using Index = base::Offset;

inline constexpr NodeId kNobody{-1};

using Data = std::shared_ptr<const std::string>;

// One member of the quorum. A learner gets the log but has no vote.
struct Member {
  NodeId id;
  // The name that its disk was given when it was first used. Whoever answers to the id from another
  // disk has lost what this one promised: it has no vote until the members are changed.
  base::Uuid directory;
  bool voter = true;
  std::string host;  // where the others reach it; empty: told by their configuration
  std::uint16_t port = 0;
  friend bool operator==(const Member&, const Member&) = default;
};

// Who belongs to the quorum, by id, each once. In force from the entry that holds it, committed or
// not (Ongaro's thesis, chapter 4); each differs from the one before in at most one voter.
struct Membership {
  std::vector<Member> members;

  const Member* find(NodeId id) const {
    for (const Member& each : members) {
      if (each.id == id) return &each;
    }
    return nullptr;
  }
  std::size_t voters() const {
    std::size_t out = 0;
    for (const Member& each : members) out += each.voter ? 1 : 0;
    return out;
  }
  // With `member` in the place of the one of its id, or new.
  Membership with(const Member& member) const;
  Membership without(NodeId id) const;
  friend bool operator==(const Membership&, const Membership&) = default;
};
using MembershipPtr = std::shared_ptr<const Membership>;

struct Entry {
  Index index;
  Term term;
  Data data;  // never null; empty in the entry that opens a leader's term, and beside members
  MembershipPtr members;  // not null: from here on
};

// What must be on disk before it is spoken of.
struct HardState {
  Term term;
  NodeId vote = kNobody;
  friend bool operator==(const HardState&, const HardState&) = default;
};

// The state machine's whole state after entry `index`; opaque here. Index 0: none.
struct Snapshot {
  Index index;
  Term term;
  Data data;
  MembershipPtr members;  // in force there
};

// Asks for a vote, or (pre) whether one would be given: the latter changes nobody's term, so a
// member that was cut off cannot disturb a working leader.
struct VoteRequest {
  bool pre = false;
  Index last_index;
  Term last_term;
  // The leader asked for this election: that it was heard lately is no reason to refuse.
  bool transfer = false;
};
struct VoteReply {
  bool pre = false;
  bool granted = false;
};
struct AppendRequest {
  Index prev_index;
  Term prev_term;
  std::vector<Entry> entries;  // prev_index + 1 ... without a gap
  Index commit;
};
struct AppendReply {
  bool accepted = false;
  // Accepted: the logs are equal up to here. Refused: look for the common past at or below this.
  Index index;
  // Refused: prev_index of the refused request, so that a late refusal is recognised.
  Index refused;
};
struct SnapshotRequest {
  Snapshot snapshot;
};
// The leader hands its place over: stand for election at once.
struct TimeoutNow {};

struct Message {
  NodeId from;
  NodeId to;
  // The sender's term. Of a pre-vote request: the term it would stand for; of a granted pre-vote
  // reply: that term again.
  Term term;
  std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, SnapshotRequest, TimeoutNow>
      body;
  base::Uuid from_directory;
  base::Uuid to_directory;  // which disk of the receiver the sender counts on; zero: none
};

}  // namespace controller::raft
