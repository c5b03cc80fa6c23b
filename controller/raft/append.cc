// The log: a leader's replication, a follower's answers, commitment.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "controller/raft/raft.h"

namespace controller::raft {

void Raft::append_as_leader(Data data, Output& out, MembershipPtr members) {
  Entry entry{log_.last_index() + 1, hard_.term, std::move(data), std::move(members)};
  log_.append(entry);
  out.append.push_back(std::move(entry));
  wrote_ = true;
}

// Leaves at once: a follower may hold an entry before this member's own disk does.
void Raft::replicate(NodeId to, Progress& progress, bool even_if_empty, Output& out) {
  if (!even_if_empty) {
    const std::size_t most = progress.probing ? 1 : config_.appends_in_flight_max;
    if (progress.snapshotting || progress.in_flight >= most) return;
    if (progress.next > log_.last_index()) return;
  }
  if (progress.next < log_.first_index()) return send_snapshot(to, progress, out);
  AppendRequest request;
  request.prev_index = progress.next - 1;
  request.prev_term = *log_.term_at(request.prev_index);
  // An unanswered probe is repeated without its entries: nobody may be listening.
  if (!progress.probing || !even_if_empty) {
    request.entries = log_.slice(progress.next, config_.append_bytes_max);
  }
  request.commit = commit_;
  const auto count = static_cast<std::int64_t>(request.entries.size());
  if (progress.probing || count > 0) ++progress.in_flight;
  if (!progress.probing) progress.next = progress.next + count;
  send(to, hard_.term, std::move(request), out.send);
}

void Raft::send_snapshot(NodeId to, Progress& progress, Output& out) {
  progress.snapshotting = true;
  progress.snapshot_at = now_;
  progress.probing = true;
  send(to, hard_.term, SnapshotRequest{log_.snapshot()}, out.send);
}

void Raft::heartbeat(Output& out) {
  heartbeat_at_ = now_ + config_.heartbeat;
  for (auto& [node, progress] : followers_) {
    if (progress.snapshotting && now_ - progress.snapshot_at < config_.election_timeout) {
      // Keeps the follower loyal while it takes the snapshot in; says nothing about its log.
      send(node, hard_.term, AppendRequest{Index(0), Term(0), {}, Index(0)}, out.send);
      continue;
    }
    progress.snapshotting = false;
    if (progress.match == progress.match_at_heartbeat &&
        progress.next_at_heartbeat > progress.match + 1) {
      // Nothing of what was unanswered one heartbeat ago has been answered: lost.
      progress.next = progress.match + 1;
      progress.probing = true;
    }
    if (progress.probing) progress.in_flight = 0;
    progress.match_at_heartbeat = progress.match;
    replicate(node, progress, true, out);
    progress.next_at_heartbeat = progress.next;
  }
}

void Raft::on_append_request(const Message& message, const AppendRequest& request, Output& out) {
  if (message.term < hard_.term) {
    // The reply's term tells a deposed leader.
    send(message.from, hard_.term, AppendReply{false, Index(0), request.prev_index},
         out.send_after_sync);
    return;
  }
  CHECK(role_ != Role::kLeader);  // two leaders of one term
  become_follower(message.term, message.from, out);
  heard_leader_ = true;
  heard_leader_at_ = now_;

  // What is committed is equal in both logs and needs no look.
  const Index end = request.prev_index + static_cast<std::int64_t>(request.entries.size());
  if (request.prev_index > commit_ && log_.term_at(request.prev_index) != request.prev_term) {
    const Index hint = log_.last_with_term_at_most(request.prev_term, request.prev_index - 1);
    send(message.from, hard_.term, AppendReply{false, std::max(hint, commit_), request.prev_index},
         out.send_after_sync);
    return;
  }
  for (const Entry& entry : request.entries) {
    if (entry.index <= commit_) continue;
    if (log_.term_at(entry.index) == entry.term) continue;
    if (MUTANT("raft-keeps-conflicting-entries") && entry.index <= log_.last_index()) continue;
    if (entry.index <= log_.last_index()) drop_from(entry.index);
    log_.append(entry);
    out.append.push_back(entry);
    wrote_ = true;
  }
  const Index known = MUTANT("raft-commits-unmatched-entries") ? log_.last_index() : end;
  commit_to(std::min(request.commit, known), out);
  send(message.from, hard_.term, AppendReply{true, std::max(end, commit_), request.prev_index},
       out.send_after_sync);
}

void Raft::on_append_reply(const Message& message, const AppendReply& reply, Output& out) {
  if (role_ != Role::kLeader || message.term != hard_.term) return;
  const auto found = followers_.find(message.from);
  if (found == followers_.end()) return;
  Progress& progress = found->second;
  if (progress.directory != message.from_directory) {
    // Another disk: what was known was about the one before.
    progress = Progress{};
    progress.next = progress.next_at_heartbeat = log_.last_index() + 1;
    progress.directory = message.from_directory;
  }
  progress.heard = now_;
  progress.answered = true;
  if (reply.index > log_.last_index() || reply.refused > log_.last_index()) return;
  if (!reply.accepted) {
    const bool late =
        progress.probing ? reply.refused != progress.next - 1 : reply.refused <= progress.match;
    if (late) return;
    progress.probing = true;
    progress.in_flight = 0;
    progress.next = std::max(progress.match + 1, std::min(reply.index + 1, reply.refused));
    replicate(message.from, progress, true, out);
    return maybe_change_members(out);
  }
  if (progress.in_flight > 0) --progress.in_flight;
  if (reply.index > progress.match) {
    progress.match = reply.index;
    progress.next = std::max(progress.next, reply.index + 1);
    advance_commit_as_leader(out);
    if (role_ != Role::kLeader || !followers_.contains(message.from)) return;
  }
  if (progress.snapshotting) {
    if (progress.match < log_.snapshot().index) return;
    progress.snapshotting = false;
  }
  if (progress.probing && progress.match + 1 >= progress.next) {
    progress.probing = false;
    progress.in_flight = 0;
  }
  if (progress.match >= progress.end_at_answer) progress.caught_up = now_;
  progress.end_at_answer = log_.last_index();
  replicate(message.from, progress, false, out);
  if (transferring_) return hand_over(out);
  maybe_change_members(out);
}

void Raft::on_snapshot_request(const Message& message, const SnapshotRequest& request,
                               Output& out) {
  if (message.term < hard_.term) {
    send(message.from, hard_.term, AppendReply{false, Index(0), Index(0)}, out.send_after_sync);
    return;
  }
  CHECK(role_ != Role::kLeader);
  become_follower(message.term, message.from, out);
  heard_leader_ = true;
  heard_leader_at_ = now_;
  const Snapshot& snapshot = request.snapshot;
  if (snapshot.index > commit_) {
    if (log_.term_at(snapshot.index) == snapshot.term) {
      commit_to(snapshot.index, out);
    } else {
      drop_from(commit_ + 1);
      log_.reset(snapshot);
      commit_ = snapshot.index;
      // It stands for everything before it.
      out.install = snapshot;
      out.append.clear();
      out.committed.clear();
      wrote_ = true;
    }
  }
  send(message.from, hard_.term, AppendReply{true, commit_, Index(0)}, out.send_after_sync);
}

// The highest index that a majority holds durably, if it is of this term (Raft §5.4.2).
void Raft::advance_commit_as_leader(Output& out) {
  std::vector<Index> held;
  for (const Member& each : members().members) {
    if (!each.voter) continue;
    if (each.id == config_.self) {
      held.push_back(MUTANT("raft-counts-what-is-not-synced") ? log_.last_index() : durable_);
    } else {
      held.push_back(counts(each) ? followers_.at(each.id).match : Index(0));
    }
  }
  CHECK(!held.empty());
  std::ranges::sort(held, std::greater{});
  const Index majority = held[held.size() / 2];
  if (majority <= commit_ || log_.term_at(majority) != hard_.term) return;
  commit_to(majority, out);
  maybe_leave(out);
}

void Raft::commit_to(Index index, Output& out) {
  while (commit_ < index) {
    commit_ = commit_ + 1;
    out.committed.push_back(log_.at(commit_));
  }
}

void Raft::drop_from(Index from) {
  CHECK(from > commit_);
  log_.truncate(from);
  durable_ = std::min(durable_, from - 1);
  for (Pending& each : pending_) each.last_index = std::min(each.last_index, from - 1);
}

}  // namespace controller::raft
