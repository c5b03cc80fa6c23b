// The entries behind the last snapshot, in memory. Pure; what is on disk is raft_store's business.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "controller/raft/protocol.h"

namespace controller::raft {

// Invariants: entries_ follow the snapshot without a gap; terms never fall along the log.
class RaftLog {
 public:
  RaftLog(Snapshot snapshot, std::vector<Entry> entries);

  const Snapshot& snapshot() const { return snapshot_; }
  // First entry that is still here; last_index() + 1 when there is none.
  Index first_index() const { return snapshot_.index + 1; }
  Index last_index() const { return snapshot_.index + static_cast<std::int64_t>(entries_.size()); }
  Term last_term() const { return entries_.empty() ? snapshot_.term : entries_.back().term; }
  // Of an entry here or of the snapshot's own index (0 at index 0); nothing beyond.
  std::optional<Term> term_at(Index index) const;
  const Entry& at(Index index) const;
  // Of the last entry that has any, or of the snapshot; null when neither has.
  const MembershipPtr& members() const { return members_.back().second; }
  Index members_index() const { return members_.back().first; }
  MembershipPtr members_at(Index index) const;

  void append(Entry entry);
  // Drops `from` and all behind it.
  void truncate(Index from);
  // Takes a snapshot of a prefix: entries up to its index go. Fills in its members.
  void compact(Snapshot snapshot);
  // The snapshot replaces everything.
  void reset(Snapshot snapshot);
  // The members before the first entry, of a log that has none.
  void found(MembershipPtr members);

  // Entries of [from, ...) up to `max_bytes` of data, at least one if there is any.
  std::vector<Entry> slice(Index from, std::size_t max_bytes) const;
  // The highest index at or below `below` whose term is at most `term`: where a log with that
  // term there can first agree with this one.
  Index last_with_term_at_most(Term term, Index below) const;

 private:
  std::size_t place(Index index) const { return static_cast<std::size_t>(index - first_index()); }
  Snapshot snapshot_;
  std::deque<Entry> entries_;
  std::vector<std::pair<Index, MembershipPtr>> members_;  // the snapshot's, then those of entries
};

}  // namespace controller::raft
