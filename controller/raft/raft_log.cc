#include "controller/raft/raft_log.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace controller::raft {

RaftLog::RaftLog(Snapshot snapshot, std::vector<Entry> entries) : snapshot_(std::move(snapshot)) {
  for (Entry& each : entries) append(std::move(each));
}

std::optional<Term> RaftLog::term_at(Index index) const {
  if (index == snapshot_.index) return snapshot_.term;
  if (index < snapshot_.index || index > last_index()) return std::nullopt;
  return entries_[place(index)].term;
}

const Entry& RaftLog::at(Index index) const {
  CHECK(index >= first_index());
  CHECK(index <= last_index());
  return entries_[place(index)];
}

void RaftLog::append(Entry entry) {
  CHECK(entry.index == last_index() + 1);
  CHECK(entry.term >= last_term());
  CHECK(entry.data != nullptr);
  entries_.push_back(std::move(entry));
}

void RaftLog::truncate(Index from) {
  CHECK(from >= first_index());
  if (from > last_index()) return;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(place(from)), entries_.end());
}

void RaftLog::compact(Snapshot snapshot) {
  CHECK(snapshot.index >= snapshot_.index);
  CHECK(snapshot.index <= last_index());
  CHECK(term_at(snapshot.index) == snapshot.term);
  const auto gone = snapshot.index - snapshot_.index;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
  snapshot_ = std::move(snapshot);
}

void RaftLog::reset(Snapshot snapshot) {
  entries_.clear();
  snapshot_ = std::move(snapshot);
}

std::vector<Entry> RaftLog::slice(Index from, std::size_t max_bytes) const {
  std::vector<Entry> out;
  std::size_t bytes = 0;
  for (Index index = from; index <= last_index(); index = index + 1) {
    const Entry& entry = at(index);
    if (!out.empty() && bytes + entry.data->size() > max_bytes) break;
    bytes += entry.data->size();
    out.push_back(entry);
  }
  return out;
}

Index RaftLog::last_with_term_at_most(Term term, Index below) const {
  Index index = std::min(below, last_index());
  while (index > snapshot_.index && *term_at(index) > term) index = index - 1;
  return index;
}

}  // namespace controller::raft
