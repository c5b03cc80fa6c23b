// The values of the Raft core: terms, indexes, entries and the messages between members.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"

namespace controller::raft {

using NodeId = base::Strong<struct RaftNodeTag, std::int32_t>;
using Term = base::Strong<struct RaftTermTag, std::int64_t>;
// Place of an entry in the metadata log; the first is 1, and 0 means "before everything".
using Index = base::Offset;

inline constexpr NodeId kNobody{-1};

using Data = std::shared_ptr<const std::string>;

struct Entry {
  Index index;
  Term term;
  Data data;  // never null; empty in the entry that opens a leader's term
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
};

// Asks for a vote, or (pre) whether one would be given: the latter changes nobody's term, so a
// member that was cut off cannot disturb a working leader.
struct VoteRequest {
  bool pre = false;
  Index last_index;
  Term last_term;
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

struct Message {
  NodeId from;
  NodeId to;
  // The sender's term. Of a pre-vote request: the term it would stand for; of a granted pre-vote
  // reply: that term again.
  Term term;
  std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, SnapshotRequest> body;
};

}  // namespace controller::raft
