// SyncGroup 0-5: the group leader brings the assignments, everybody gets its own.
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// Since version 5 a member must say which protocol it believes was chosen (KIP-559).
constexpr std::int16_t kProtocolRequiredSince = 5;

bool differs(const std::optional<std::string>& asked, const std::optional<std::string>& chosen) {
  return asked && chosen && *asked != *chosen;
}

wire::SyncGroupResponse assignment_of(const Group& group, const Member& member) {
  return {.protocol_type = group.protocol_type,
          .protocol_name = group.protocol,
          .assignment = member.assignment};
}

ErrorCode check_sync(const Call& call, const wire::SyncGroupRequest& request, const Group* group) {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  const bool names_protocol = request.protocol_type && request.protocol_name;
  if (call.version >= kProtocolRequiredSince && !names_protocol) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  if (group == nullptr) return ErrorCode::kUnknownMemberId;
  const auto error = check_member(*group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::kNone) return error;
  const bool is_current = request.generation_id == group->generation;
  if (!is_current && !MUTANT("group-syncs-old-generations")) return ErrorCode::kIllegalGeneration;
  if (differs(request.protocol_type, group->protocol_type) ||
      differs(request.protocol_name, group->protocol)) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  if (group->is(GroupState::kPreparingRebalance)) return ErrorCode::kRebalanceInProgress;
  return ErrorCode::kNone;
}

}  // namespace

void GroupCoordinator::handle(const Call& call, const wire::SyncGroupRequest& request,
                              Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  if (Group* consumers = find_consumers(request.group_id)) {
    return sync_consumers(*consumers, call, request, turn);
  }
  Group* group = find_group(request.group_id);
  if (const auto error = check_sync(call, request, group); error != ErrorCode::kNone) {
    return refuse_sync(call.token, error, turn);
  }
  Member& member = *group->find_member(request.member_id);
  stop_waiting_for_sync(*group, request.member_id);
  if (group->is(GroupState::kStable)) {
    member.told_after = group->last_append;
    return answer_after(group->last_append, call.token, assignment_of(*group, member), turn);
  }
  CHECK(group->is(GroupState::kCompletingRebalance));
  // Asked twice: the connection it asked on first is gone.
  answer_sync(member, {.error_code = ErrorCode::kRebalanceInProgress}, turn);
  member.awaiting_sync = call.token;
  if (group->is_leader(member.id)) assign(*group, request, turn);
}

void GroupCoordinator::stop_waiting_for_sync(Group& group, const std::string& member_id) {
  group.pending_sync.erase(member_id);
  if (group.pending_sync.empty()) {
    deadlines_.cancel({.kind = DeadlineKind::kSync, .group_id = group.id});
  }
}

// Members that the leader forgot get an empty assignment.
void GroupCoordinator::assign(Group& group, const wire::SyncGroupRequest& request, Turn& turn) {
  for (auto& [id_, member] : group.members) member.assignment.clear();
  for (const auto& given : request.assignments) {
    if (Member* member = group.find_member(given.member_id)) {
      member->assignment = given.assignment;
    }
  }
  if (!fits_saved(group)) {
    drop_assignments(group, ErrorCode::kUnknownServerError, turn);
    return prepare_rebalance(group, turn);
  }
  group.move_to(GroupState::kStable, turn.wall_ms);
  save(group, turn);
  for (auto& [id_, member] : group.members) {
    if (!member.awaiting_sync) continue;
    const Token token = *std::exchange(member.awaiting_sync, std::nullopt);
    member.told_after = group.last_append;
    answer_after(group.last_append, token, assignment_of(group, member), turn);
    touch_session(group, member, turn.now);
  }
}

}  // namespace broker::group
