#include "controller/raft/raft_log.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace controller::raft {

Membership Membership::with(const Member& member) const {
  Membership out = without(member.id);
  out.members.push_back(member);
  std::ranges::sort(out.members, {}, &Member::id);
  return out;
}

Membership Membership::without(NodeId id) const {
  Membership out = *this;
  std::erase_if(out.members, [&](const Member& each) { return each.id == id; });
  return out;
}

RaftLog::RaftLog(Snapshot snapshot, std::vector<Entry> entries) : snapshot_(std::move(snapshot)) {
  members_.emplace_back(snapshot_.index, snapshot_.members);
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
  if (entry.members) members_.emplace_back(entry.index, entry.members);
  entries_.push_back(std::move(entry));
}

void RaftLog::truncate(Index from) {
  CHECK(from >= first_index());
  if (from > last_index()) return;
  while (members_.back().first >= from) members_.pop_back();
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(place(from)), entries_.end());
}

void RaftLog::compact(Snapshot snapshot) {
  CHECK(snapshot.index >= snapshot_.index);
  CHECK(snapshot.index <= last_index());
  CHECK(term_at(snapshot.index) == snapshot.term);
  const auto gone = snapshot.index - snapshot_.index;
  snapshot.members = members_at(snapshot.index);
  std::erase_if(members_, [&](const auto& each) { return each.first <= snapshot.index; });
  members_.emplace(members_.begin(), snapshot.index, snapshot.members);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
  snapshot_ = std::move(snapshot);
}

void RaftLog::reset(Snapshot snapshot) {
  entries_.clear();
  snapshot_ = std::move(snapshot);
  members_.clear();
  members_.emplace_back(snapshot_.index, snapshot_.members);
}

void RaftLog::found(MembershipPtr members) {
  CHECK(members_.back().second == nullptr);
  snapshot_.members = std::move(members);
  members_.front().second = snapshot_.members;
}

MembershipPtr RaftLog::members_at(Index index) const {
  MembershipPtr out;
  for (const auto& [from, members] : members_) {
    if (from <= index) out = members;
  }
  return out;
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
