// Who leads: timers, votes, quorum.
#include <algorithm>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "controller/raft/raft.h"

namespace controller::raft {

void Raft::restart_election_timer() {
  const auto timeout = config_.election_timeout.count();
  election_at_ = now_ + base::Duration(timeout + random_.between(0, timeout));
}

// Within the shortest election timeout of a leader's last word nobody gives a vote away. A leader
// itself trusts its own check-quorum.
bool Raft::heard_leader_lately() const {
  if (role_ == Role::kLeader) return true;
  return heard_leader_ && leader_ != kNobody && now_ < heard_leader_at_ + config_.election_timeout;
}

void Raft::set_hard_state(HardState next, Output& out) {
  CHECK(next.term > hard_.term || (next.term == hard_.term && hard_.vote == kNobody));
  hard_ = next;
  out.hard_state = hard_;
  wrote_ = true;
}

void Raft::become_follower(Term term, NodeId leader, Output& out) {
  CHECK(term >= hard_.term);
  if (role_ != Role::kFollower || leader_ != leader || term > hard_.term) out.role_changed = true;
  if (term > hard_.term) set_hard_state({term, kNobody}, out);
  if (role_ == Role::kLeader || leader != kNobody) restart_election_timer();
  role_ = Role::kFollower;
  leader_ = leader;
  transferring_ = false;
  followers_.clear();
  votes_.clear();
}

void Raft::stand(bool pre, Output& out, bool transfer) {
  CHECK(may_stand());
  role_ = pre ? Role::kPreCandidate : Role::kCandidate;
  leader_ = kNobody;
  votes_.clear();
  restart_election_timer();
  out.role_changed = true;
  if (pre) {
    votes_[config_.self] = true;
  } else {
    set_hard_state({hard_.term + 1, config_.self}, out);
    // Alone, the vote and the first entry of the term reach the disk with one sync, and nothing is
    // committed before it.
    if (alone()) return become_leader(out);
  }
  // A vote must not be asked for before the own one cannot be taken back.
  auto& queue = pre ? out.send : out.send_after_sync;
  const Term term = pre ? hard_.term + 1 : hard_.term;
  for (const Member& each : members().members) {
    if (each.id == config_.self || !each.voter) continue;
    send(each.id, term, VoteRequest{pre, log_.last_index(), log_.last_term(), transfer}, queue);
  }
}

// The own vote counts once it is durable.
void Raft::count_own_vote(Output& out) {
  if (!(durable_hard_ == hard_) || votes_.contains(config_.self)) return;
  votes_[config_.self] = true;
  count_votes(out);
}

void Raft::count_votes(Output& out) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const auto& [node, vote] : votes_) {
    const Member* member = members().find(node);
    if (member && member->voter) ++(vote ? granted : refused);
  }
  if (is_majority(granted)) {
    if (role_ == Role::kPreCandidate) {
      stand(false, out);
    } else {
      become_leader(out);
    }
  } else if (is_majority(refused)) {
    become_follower(hard_.term, kNobody, out);
  }
}

void Raft::become_leader(Output& out) {
  CHECK(role_ == Role::kCandidate);
  CHECK(hard_.vote == config_.self);
  role_ = Role::kLeader;
  leader_ = config_.self;
  out.role_changed = true;
  votes_.clear();
  followers_.clear();
  transferring_ = false;
  follow_members(log_.last_index() + 1);
  term_start_ = log_.last_index() + 1;
  quorum_check_at_ = now_ + config_.election_timeout;
  // Entries of older terms are committed only through one of this term.
  // The first of all names the members that found the log.
  append_as_leader(std::make_shared<const std::string>(), out,
                   log_.members_index() == Index(0) ? log_.members() : nullptr);
  heartbeat_at_ = now_ + config_.heartbeat;
  for (auto& [node, progress] : followers_) replicate(node, progress, false, out);
}

void Raft::check_quorum(Output& out) {
  quorum_check_at_ = now_ + config_.election_timeout;
  std::size_t present = 0;
  for (const Member& each : members().members) {
    if (!each.voter) continue;
    if (each.id == config_.self) {
      ++present;
    } else if (counts(each) && now_ - followers_.at(each.id).heard <= config_.election_timeout) {
      ++present;
    }
  }
  if (!is_majority(present)) become_follower(hard_.term, kNobody, out);
}

void Raft::on_vote_request(const Message& message, const VoteRequest& request, Output& out) {
  const bool up_to_date =
      MUTANT("raft-votes-for-any-log") ||
      (MUTANT("raft-transfers-to-any-log") && request.transfer) ||
      request.last_term > log_.last_term() ||
      (request.last_term == log_.last_term() && request.last_index >= log_.last_index());
  if (request.pre) {
    const bool granted = message.term > hard_.term && up_to_date && !heard_leader_lately();
    send(message.from, granted ? message.term : hard_.term, VoteReply{true, granted},
         out.send_after_sync);
    return;
  }
  if (message.term > hard_.term) return;  // untimely: see Receive
  bool granted = false;
  if (message.term == hard_.term) {
    const bool free =
        MUTANT("raft-forgets-vote-given") || (hard_.vote == kNobody && leader_ == kNobody);
    granted = up_to_date && (free || hard_.vote == message.from);
    if (granted && free && !MUTANT("raft-forgets-vote-given")) {
      set_hard_state({hard_.term, message.from}, out);
      restart_election_timer();
    }
  }
  send(message.from, hard_.term, VoteReply{false, granted}, out.send_after_sync);
}

void Raft::on_vote_reply(const Message& message, const VoteReply& reply, Output& out) {
  const Role asked = reply.pre ? Role::kPreCandidate : Role::kCandidate;
  if (role_ != asked) return;
  const Term term = reply.pre && reply.granted ? hard_.term + 1 : hard_.term;
  if (message.term != term) return;
  const Member* member = members().find(message.from);
  if (!member || member->directory != message.from_directory) return;
  votes_[message.from] = reply.granted;
  count_votes(out);
}

}  // namespace controller::raft
