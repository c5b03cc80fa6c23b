// Heartbeat 0-4 and LeaveGroup 0-5.
#include <algorithm>
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

// Anybody may be sent away, of whichever protocol.
ErrorCode find_leaving(const ConsumerGroup& group,
                       const wire::LeaveGroupRequest::MemberIdentity& identity,
                       std::vector<std::string>& leaving) {
  const auto& instance_id = identity.group_instance_id;
  const ConsumerMember* member =
      instance_id ? group.find_static(*instance_id) : group.find(identity.member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  // An administrator names a static member by its instance alone.
  const bool is_named = !instance_id || !identity.member_id.empty();
  if (is_named && member->id != identity.member_id) return ErrorCode::kFencedInstanceId;
  if (std::ranges::find(leaving, member->id) == leaving.end()) leaving.push_back(member->id);
  return ErrorCode::kNone;
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
  if (Group* consumers = find_consumers(request.group_id)) {
    return say(beat_of_classic(*consumers, request, turn));
  }
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
  const bool has_consumers = find_consumers(request.group_id) != nullptr;
  std::vector<std::string> consumers_left;
  wire::LeaveGroupResponse response;
  bool has_left = false;
  for (auto& identity : leaving(call, request)) {
    const ErrorCode error =
        group == nullptr ? ErrorCode::kUnknownMemberId
        : has_consumers  ? find_leaving(*group->consumer, identity, consumers_left)
                         : leave(*group, identity.member_id, identity.group_instance_id, turn);
    has_left = has_left || (error == ErrorCode::kNone && !has_consumers);
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
  if (!consumers_left.empty()) remove_consumers(*group, consumers_left, turn);
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
