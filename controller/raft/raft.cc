#include "controller/raft/raft.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"

namespace controller::raft {

Raft::Raft(Config config, Recovered recovered, base::Random random, base::Instant now)
    : config_(std::move(config)),
      random_(random),
      now_(now),
      hard_(recovered.hard_state),
      log_(std::move(recovered.snapshot), std::move(recovered.entries)),
      commit_(log_.snapshot().index),
      durable_(log_.last_index()) {
  // A sole voter writes its term and that term's first entry with one sync: a torn end may keep
  // the entry and lose the term. In a larger quorum the vote was durable before the entry was made.
  if (log_.last_term() > hard_.term) hard_ = {log_.last_term(), config_.self};
  durable_hard_ = hard_;
  restart_election_timer();
}

void Raft::step(const Input& input, base::Instant now, Output& out) {
  CHECK(now >= now_);
  now_ = now;
  wrote_ = false;
  std::visit([&](const auto& event) { on(event, out); }, input);
  if (MUTANT("raft-answers-before-sync")) {
    out.send.insert(out.send.end(), out.send_after_sync.begin(), out.send_after_sync.end());
    out.send_after_sync.clear();
  }
  if (!wrote_) return;
  out.write_id = ++last_write_id_;
  pending_.push_back({last_write_id_, log_.last_index(), hard_});
}

void Raft::on(const Start&, Output& out) {
  if (votes() && members().voters() == 1) stand(false, out);
}

void Raft::on(const Tick&, Output& out) {
  if (role_ == Role::kLeader) {
    if (now_ >= quorum_check_at_) check_quorum(out);
    if (transferring_ && now_ >= transfer_until_) transferring_ = false;
    if (role_ == Role::kLeader && now_ >= heartbeat_at_) heartbeat(out);
  } else if (now_ >= election_at_) {
    const bool sole = votes() && members().voters() == 1;
    if (may_stand()) return stand(!sole, out);
    become_follower(hard_.term, kNobody, out);
    restart_election_timer();
  }
}

base::Instant Raft::wake_at() const {
  if (role_ != Role::kLeader) return election_at_;
  if (alone()) return base::Instant::max();
  return std::min(heartbeat_at_, quorum_check_at_);
}

void Raft::on(const Receive& event, Output& out) {
  const Message& message = event.message;
  // What is not for this member was sent by mistake. Who sent it may be a member that this one's
  // log does not know yet.
  if (message.to != config_.self || message.from == config_.self) return;
  const auto* vote = std::get_if<VoteRequest>(&message.body);
  // The vote that is asked for was the other disk's to give.
  if (vote && message.to_directory != config_.directory && !MUTANT("raft-votes-for-lost-disk")) {
    return;
  }
  if (message.term > hard_.term) {
    const auto* vote_reply = std::get_if<VoteReply>(&message.body);
    const bool of_pre_vote =
        (vote && vote->pre) || (vote_reply && vote_reply->pre && vote_reply->granted);
    // A member that was cut off for long stands with a high term: while the leader is there, it
    // does not count.
    const bool untimely = vote && !vote->transfer && heard_leader_lately();
    if (!of_pre_vote && !untimely) {
      const bool from_leader = std::holds_alternative<AppendRequest>(message.body) ||
                               std::holds_alternative<SnapshotRequest>(message.body);
      become_follower(message.term, from_leader ? message.from : kNobody, out);
    }
  }
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, VoteRequest>) on_vote_request(message, body, out);
        if constexpr (std::is_same_v<Body, VoteReply>) on_vote_reply(message, body, out);
        if constexpr (std::is_same_v<Body, AppendRequest>) on_append_request(message, body, out);
        if constexpr (std::is_same_v<Body, AppendReply>) on_append_reply(message, body, out);
        if constexpr (std::is_same_v<Body, SnapshotRequest>) {
          on_snapshot_request(message, body, out);
        }
        if constexpr (std::is_same_v<Body, TimeoutNow>) on_timeout_now(message, out);
      },
      message.body);
}

void Raft::on(const Propose& event, Output& out) {
  CHECK(role_ == Role::kLeader);
  for (const Data& each : event.batches) append_as_leader(each, out);
  for (auto& [node, progress] : followers_) replicate(node, progress, false, out);
}

void Raft::on(const Synced& event, Output& out) {
  auto done = pending_.begin();
  while (done != pending_.end() && done->write_id <= event.write_id) {
    durable_ = done->last_index;
    durable_hard_ = done->hard;
    ++done;
  }
  pending_.erase(pending_.begin(), done);
  if (role_ == Role::kCandidate) count_own_vote(out);
  if (role_ == Role::kLeader) advance_commit_as_leader(out);
}

void Raft::on(const Compact& event, Output&) {
  CHECK(event.snapshot.index <= commit_);
  if (event.snapshot.index > log_.snapshot().index) log_.compact(event.snapshot);
}

bool Raft::ready() const {
  return role_ == Role::kLeader && commit_ >= term_start_ && !transferring_;
}

std::optional<Index> Raft::match_of(NodeId node) const {
  if (role_ != Role::kLeader) return std::nullopt;
  if (node == config_.self) return durable_;
  auto found = followers_.find(node);
  if (found == followers_.end()) return std::nullopt;
  return found->second.match;
}

void Raft::send(NodeId to, Term term, decltype(Message::body) body, std::vector<Message>& queue) {
  const Member* member = members().find(to);
  queue.push_back({config_.self, to, term, std::move(body), config_.directory,
                   member ? member->directory : base::Uuid{}});
}

void Raft::check_invariants() const {
  CHECK(commit_ <= log_.last_index());
  CHECK(commit_ >= log_.snapshot().index);
  CHECK(durable_ <= log_.last_index());
  CHECK(log_.last_term() <= hard_.term);
  if (role_ == Role::kLeader) {
    CHECK(leader_ == config_.self);
    CHECK(followers_.size() ==
          members().members.size() - (members().find(config_.self) == nullptr ? 0 : 1));
    for (const auto& [node, progress] : followers_) {
      CHECK(progress.match < progress.next);
      CHECK(progress.next <= log_.last_index() + 1);
    }
  } else {
    CHECK(followers_.empty());
    CHECK(!transferring_);
  }
  if (role_ == Role::kCandidate) CHECK(hard_.vote == config_.self);
  if (alone()) CHECK(commit_ <= durable_);
  for (const Member& each : members().members) {
    CHECK(&each == &members().members.front() || (&each - 1)->id < each.id);
  }
}

}  // namespace controller::raft
