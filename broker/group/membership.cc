// Heartbeat 0-4 and LeaveGroup 0-5.
#include <utility>

#include "broker/group/group_coordinator.h"
#include "common/base/check.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// Before version 3 one member left at a time and its error was the whole answer.
constexpr std::int16_t kBatchLeaveSince = 3;

std::vector<wire::LeaveGroupRequest::MemberIdentity> leaving(
    const Call& call, const wire::LeaveGroupRequest& request) {
  if (call.version >= kBatchLeaveSince) return request.members;
  return {{.member_id = request.member_id}};
}

wire::LeaveGroupResponse left(const Call& call, wire::LeaveGroupResponse response) {
  if (call.version >= kBatchLeaveSince) return response;
  CHECK(response.members.size() == 1);
  return {.error_code = response.members.front().error_code, .members = {}};
}

}  // namespace

ErrorCode check_member(const Group& group, std::string_view member_id,
                       const std::optional<std::string>& instance_id) {
  if (instance_id) {
    const auto known = group.static_members.find(*instance_id);
    if (known == group.static_members.end()) return ErrorCode::kUnknownMemberId;
    if (known->second != member_id) return ErrorCode::kFencedInstanceId;
  }
  return group.members.contains(member_id) ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
}

void GroupCoordinator::handle(const Call& call, const wire::HeartbeatRequest& request,
                              Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  auto say = [&](ErrorCode error) {
    answer(call.token, wire::HeartbeatResponse{.error_code = error}, turn);
  };
  if (request.group_id.empty()) return say(ErrorCode::kInvalidGroupId);
  Group* group = find_group(request.group_id);
  if (group == nullptr) return say(ErrorCode::kUnknownMemberId);
  const auto error = check_member(*group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::kNone) return say(error);
  if (request.generation_id != group->generation) return say(ErrorCode::kIllegalGeneration);
  touch_session(*group, *group->find_member(request.member_id), turn.now);
  const bool must_rejoin = group->is(GroupState::kPreparingRebalance);
  say(must_rejoin ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone);
}

void GroupCoordinator::handle(const Call& call, const wire::LeaveGroupRequest& request,
                              Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  if (request.group_id.empty()) {
    return answer(call.token, wire::LeaveGroupResponse{.error_code = ErrorCode::kInvalidGroupId},
                  turn);
  }
  Group* group = find_group(request.group_id);
  wire::LeaveGroupResponse response;
  bool has_left = false;
  for (auto& identity : leaving(call, request)) {
    const ErrorCode error =
        group == nullptr ? ErrorCode::kUnknownMemberId
                         : leave(*group, identity.member_id, identity.group_instance_id, turn);
    has_left = has_left || error == ErrorCode::kNone;
    response.members.push_back({.member_id = std::move(identity.member_id),
                                .group_instance_id = std::move(identity.group_instance_id),
                                .error_code = error});
  }
  if (has_left) {
    if (group->is(GroupState::kPreparingRebalance)) {
      maybe_complete_join(*group, turn);
    } else if (!group->is(GroupState::kEmpty)) {
      prepare_rebalance(*group, turn);
    }
  }
  const AppendNumber after = group == nullptr ? AppendNumber{} : group->last_append;
  answer_after(after, call.token, left(call, std::move(response)), turn);
  forget_if_unused(request.group_id);
}

ErrorCode GroupCoordinator::leave(Group& group, std::string_view member_id,
                                  const std::optional<std::string>& instance_id, Turn& turn) {
  // An administrator names a static member by its instance alone.
  if (member_id.empty()) {
    const auto known =
        instance_id ? group.static_members.find(*instance_id) : group.static_members.end();
    if (known == group.static_members.end()) return ErrorCode::kUnknownMemberId;
    remove_member(group, std::string(known->second), turn);
    return ErrorCode::kNone;
  }
  const std::string id(member_id);
  if (group.pending_join.contains(id)) {
    group.remove_member(id);
    deadlines_.cancel({DeadlineKind::kSession, group.id, id});
    return ErrorCode::kNone;
  }
  const ErrorCode error = check_member(group, id, instance_id);
  if (error == ErrorCode::kNone) remove_member(group, id, turn);
  return error;
}

}  // namespace broker::group
