// The rebalance: everybody joins again, the group leader shares out, a new generation begins.
#include <algorithm>
#include <limits>
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

void GroupCoordinator::rebalance_or_complete(Group& group, Turn& turn) {
  if (group.is(GroupState::kPreparingRebalance)) {
    maybe_complete_join(group, turn);
  } else {
    prepare_rebalance(group, turn);
  }
}

// The first rebalance of a group ends by time only: more members are likely on their way.
void GroupCoordinator::maybe_complete_join(Group& group, Turn& turn) {
  if (group.is(GroupState::kPreparingRebalance) && group.all_joined() &&
      group.previous_state != GroupState::kEmpty) {
    complete_join(group, turn);
  }
}

void GroupCoordinator::prepare_rebalance(Group& group, Turn& turn) {
  CHECK(!group.is(GroupState::kPreparingRebalance));
  if (group.is(GroupState::kCompletingRebalance)) {
    drop_assignments(group, ErrorCode::kRebalanceInProgress, turn);
  }
  group.pending_sync.clear();
  deadlines_.cancel({.kind = DeadlineKind::kSync, .group_id = group.id});
  ++stats_.rebalances;

  const bool is_first = group.is(GroupState::kEmpty);
  group.move_to(GroupState::kPreparingRebalance, turn.wall_ms);
  const DeadlineKey join{.kind = DeadlineKind::kJoin, .group_id = group.id};
  if (is_first) {
    group.new_member_added = false;
    group.last_came_at = turn.now;
    const base::Duration delay = delay_of_first(group, turn.now);
    group.initial_delay_left = std::max(group.rebalance_timeout() - delay, base::Duration{});
    deadlines_.set(join, turn.now + delay);
  } else if (group.all_joined()) {
    complete_join(group, turn);
  } else {
    deadlines_.set(join, turn.now + group.rebalance_timeout());
  }
}

// How long a group that begins still waits for company: the whole delay, or until nobody has come
// for a while.
base::Duration GroupCoordinator::delay_of_first(const Group& group, base::Instant now) const {
  const base::Duration whole = config_.initial_rebalance_delay;
  if (!config_.initial_quiet) return whole;
  const base::Duration quiet = std::min(*config_.initial_quiet, whole);
  return std::max(group.last_came_at + quiet - now, base::Duration{});
}

void GroupCoordinator::on_join_deadline(Group& group, Turn& turn) {
  CHECK(group.is(GroupState::kPreparingRebalance));
  const bool may_wait = group.previous_state == GroupState::kEmpty && group.new_member_added &&
                        group.initial_delay_left > base::Duration{};
  if (!may_wait) return complete_join(group, turn);
  // Somebody came during the last delay: wait once more, up to the rebalance timeout in all.
  group.new_member_added = false;
  const base::Duration delay = std::min(delay_of_first(group, turn.now), group.initial_delay_left);
  group.initial_delay_left -= delay;
  deadlines_.set({.kind = DeadlineKind::kJoin, .group_id = group.id}, turn.now + delay);
}

void GroupCoordinator::complete_join(Group& group, Turn& turn) {
  deadlines_.cancel({.kind = DeadlineKind::kJoin, .group_id = group.id});
  std::vector<std::string> missing;
  for (const auto& [member_id, member] : group.members) {
    // Static members keep their place until their session ends.
    if (!member.awaiting_join && !member.instance_id) missing.push_back(member_id);
  }
  for (const std::string& member_id : missing) {
    group.remove_member(member_id);
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  }
  if (!group.elect_joined_leader() && !group.members.empty()) {
    // Only static members are left and none has joined: their sessions decide.
    const auto delay = std::max<base::Duration>(group.rebalance_timeout(), kJoinRetryMin);
    deadlines_.set({.kind = DeadlineKind::kJoin, .group_id = group.id}, turn.now + delay);
    return;
  }
  begin_generation(group, turn);
}

void GroupCoordinator::begin_generation(Group& group, Turn& turn) {
  const bool wraps = group.generation == std::numeric_limits<std::int32_t>::max();
  group.generation = wraps ? 0 : group.generation + 1;
  group.pending_sync.clear();
  if (group.members.empty()) {
    group.protocol.reset();
    group.leader.reset();
    group.move_to(GroupState::kEmpty, turn.wall_ms);
    group.refresh_subscribed_topics();
    save(group, turn);
    return;
  }
  group.protocol = group.select_protocol();
  group.move_to(GroupState::kCompletingRebalance, turn.wall_ms);
  group.refresh_subscribed_topics();
  for (auto& [member_id, member] : group.members) {
    answer_join(group, member, current_generation(group, member), turn);
    touch_session(group, member, turn.now);
    member.is_new = false;
    group.pending_sync.insert(member_id);
  }
  deadlines_.set({.kind = DeadlineKind::kSync, .group_id = group.id},
                 turn.now + group.rebalance_timeout());
}

// What a member is told of the generation it is in. The group leader gets all the members.
wire::JoinGroupResponse GroupCoordinator::current_generation(const Group& group,
                                                             const Member& member) const {
  wire::JoinGroupResponse response{.generation_id = group.generation,
                                   .protocol_type = group.protocol_type,
                                   .protocol_name = group.protocol,
                                   .leader = group.leader.value_or(""),
                                   .member_id = member.id,
                                   .members = {}};
  if (!group.is_leader(member.id)) return response;
  for (const auto& [member_id, each] : group.members) {
    const Protocol* chosen = each.find_protocol(*group.protocol);
    CHECK(chosen != nullptr);
    response.members.push_back({.member_id = member_id,
                                .group_instance_id = each.instance_id,
                                .metadata = chosen->metadata});
  }
  return response;
}

void GroupCoordinator::drop_assignments(Group& group, ErrorCode error, Turn& turn) {
  for (auto& [id_, member] : group.members) {
    member.assignment.clear();
    // Its session did not run while it waited.
    if (answer_sync(member, {.error_code = error}, turn)) touch_session(group, member, turn.now);
  }
}

void GroupCoordinator::touch_session(Group& group, const Member& member, base::Instant now) {
  if (MUTANT("group-keeps-the-dead")) return;
  deadlines_.set({DeadlineKind::kSession, group.id, member.id}, now + member.session_timeout);
}

void GroupCoordinator::on_sync_deadline(Group& group, Turn& turn) {
  const bool is_due = group.is(GroupState::kCompletingRebalance) || group.is(GroupState::kStable);
  if (!is_due || group.pending_sync.empty()) return;
  const std::vector<std::string> silent(group.pending_sync.begin(), group.pending_sync.end());
  for (const std::string& member_id : silent) {
    group.remove_member(member_id);
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  }
  stats_.members_expired += silent.size();
  prepare_rebalance(group, turn);
}

void GroupCoordinator::on_session_deadline(Group& group, const std::string& member_id, Turn& turn) {
  if (group.pending_join.contains(member_id)) {
    group.remove_member(member_id);
    if (group.is(GroupState::kPreparingRebalance) && group.all_joined()) {
      complete_join(group, turn);
    }
    return forget_if_unused(std::string(group.id));
  }
  Member* member = group.find_member(member_id);
  CHECK(member != nullptr);  // whoever removes a member cancels its deadline
  // Who waits for us cannot send heartbeats. New members are the exception: nobody sees it if
  // their connection is gone.
  const bool waits = member->awaiting_join || member->awaiting_sync;
  if (waits && !member->is_new) return;
  if (member->told_after > committed_) return touch_session(group, *member, turn.now);
  ++stats_.members_expired;
  remove_member(group, member_id, turn);
  if (group.is(GroupState::kStable) || group.is(GroupState::kCompletingRebalance)) {
    prepare_rebalance(group, turn);
  } else if (group.is(GroupState::kPreparingRebalance) && group.all_joined()) {
    complete_join(group, turn);
  }
}

// Takes a member out and tells it, if it waits to join, to begin anew.
void GroupCoordinator::remove_member(Group& group, const std::string& member_id, Turn& turn) {
  deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  Member* member = group.find_member(member_id);
  CHECK(member != nullptr);
  answer_join(group, *member, {.error_code = ErrorCode::kUnknownMemberId}, turn);
  answer_sync(*member, {.error_code = ErrorCode::kUnknownMemberId}, turn);
  group.remove_member(member_id);
}

}  // namespace broker::group
