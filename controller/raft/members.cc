// Who belongs to the quorum, and who shall lead it: changes of the members, one at a time, and the
// transfer of leadership.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "controller/raft/raft.h"

namespace controller::raft {

const Membership& Raft::members() const {
  static const Membership kNone;
  return log_.members() ? *log_.members() : kNone;
}

bool Raft::votes() const {
  const Member* self = members().find(config_.self);
  return self && self->voter && self->directory == config_.directory;
}

bool Raft::alone() const { return members().members.size() == 1 && votes(); }

// A voter may; and one that is removed by an entry that may be lost yet: it may hold more of the
// log than those that remain, and they could not elect anybody without it (thesis, 4.2.2).
bool Raft::may_stand() const {
  if (votes()) return true;
  if (log_.members_index() <= commit_) return false;
  const MembershipPtr before = log_.members_at(log_.members_index() - 1);
  const Member* self = before ? before->find(config_.self) : nullptr;
  return self && self->voter && self->directory == config_.directory;
}

// Whether what is known of another member is about the disk that it is a member by.
bool Raft::counts(const Member& member) const {
  const auto at = followers_.find(member.id);
  return at != followers_.end() && at->second.directory == member.directory;
}

bool Raft::can_change() const {
  if (MUTANT("raft-changes-members-at-any-time")) return role_ == Role::kLeader;
  return ready() && log_.members_index() <= commit_;
}

bool Raft::can_reach_majority(const Membership& next) const {
  std::size_t reached = 0;
  for (const Member& each : next.members) {
    if (!each.voter) continue;
    if (each.id == config_.self) {
      ++reached;
      continue;
    }
    const auto at = followers_.find(each.id);
    if (at == followers_.end() || !at->second.answered) continue;
    if (at->second.directory != each.directory) continue;
    if (now_ - at->second.heard <= config_.election_timeout) ++reached;
  }
  return reached * 2 > next.voters();
}

std::vector<Peer> Raft::peers() const {
  std::vector<Peer> out;
  for (const auto& [node, progress] : followers_) {
    const Member* member = members().find(node);
    Peer peer{*member, progress.directory != member->directory, progress.match, std::nullopt,
              progress.caught_up};
    if (progress.answered) peer.heard = progress.heard;
    out.push_back(std::move(peer));
  }
  return out;
}

void Raft::on(const Found& event, Output& out) {
  CHECK(!log_.members());
  log_.found(std::make_shared<const Membership>(event.members));
  CHECK(votes());
  stand(members().voters() > 1, out);
}

void Raft::on(const ChangeMembers& event, Output& out) {
  CHECK(can_change());
  if (!can_reach_majority(event.members)) return;
  change_members(event.members, out);
}

void Raft::change_members(Membership members, Output& out) {
  CHECK(members.voters() > 0);
  append_as_leader(std::make_shared<const std::string>(), out,
                   std::make_shared<const Membership>(std::move(members)));
  follow_members(log_.last_index());
  for (auto& [node, progress] : followers_) replicate(node, progress, false, out);
}

// While leading: one Progress for each of the others; who is new is sent entries from `next` on.
void Raft::follow_members(Index next) {
  std::erase_if(followers_, [&](const auto& each) { return !members().find(each.first); });
  for (const Member& each : members().members) {
    if (each.id == config_.self || followers_.contains(each.id)) continue;
    Progress progress;
    progress.next = progress.next_at_heartbeat = next;
    progress.heard = now_;
    progress.directory = each.directory;
    followers_.emplace(each.id, progress);
  }
}

// Takes the next step of a change under way, if there is one: a member that answers from another
// disk becomes a learner by it, a learner that has caught up becomes a voter.
void Raft::maybe_change_members(Output& out) {
  if (role_ != Role::kLeader || !can_change()) return;
  for (const Member& each : members().members) {
    const auto at = followers_.find(each.id);
    if (at == followers_.end()) continue;
    const Progress& progress = at->second;
    Member next = each;
    if (progress.directory != each.directory) {
      next.directory = progress.directory;
      next.voter = false;
    } else if (!each.voter && progress.answered && !progress.probing && progress.match >= commit_) {
      next.voter = true;
    } else {
      continue;
    }
    Membership after = members().with(next);
    if (can_reach_majority(after)) return change_members(std::move(after), out);
  }
}

// A leader that was removed leads until that is committed, so that it is; then it tells everybody,
// and who is next.
void Raft::maybe_leave(Output& out) {
  if (role_ != Role::kLeader || votes() || log_.members_index() > commit_) return;
  heartbeat(out);
  on(Transfer{}, out);
  become_follower(hard_.term, kNobody, out);
}

void Raft::on(const Transfer& event, Output& out) {
  if (role_ != Role::kLeader) return;
  NodeId best = kNobody;
  for (const Member& each : members().members) {
    if (each.id == config_.self || !each.voter || !counts(each)) continue;
    if (event.to != kNobody && event.to != each.id) continue;
    const auto& progress = followers_.at(each.id);
    if (!progress.answered || now_ - progress.heard > config_.election_timeout) continue;
    if (best == kNobody || progress.match > followers_.at(best).match) best = each.id;
  }
  if (best == kNobody) return;
  transferring_ = true;
  transfer_to_ = best;
  transfer_until_ = now_ + config_.election_timeout;
  hand_over(out);
}

void Raft::on(const LeaderGone& event, Output& out) {
  if (role_ != Role::kFollower || leader_ == kNobody || leader_ != event.leader) return;
  leader_ = kNobody;
  heard_leader_ = false;
  out.role_changed = true;
  // Not all at the same instant.
  election_at_ =
      std::min(election_at_,
               now_ + base::Duration(random_.between(0, config_.election_timeout.count() / 4)));
}

// Once the successor has all of the log it is told to stand.
void Raft::hand_over(Output& out) {
  const auto at = followers_.find(transfer_to_);
  if (at == followers_.end()) {
    transferring_ = false;
    return;
  }
  if (at->second.match < log_.last_index()) return;
  send(transfer_to_, hard_.term, TimeoutNow{}, out.send);
}

void Raft::on_timeout_now(const Message& message, Output& out) {
  if (message.term != hard_.term || role_ != Role::kFollower || leader_ != message.from) return;
  if (!votes() || message.to_directory != config_.directory) return;
  stand(false, out, true);
}

}  // namespace controller::raft
