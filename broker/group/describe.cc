// ListGroups 0-5, DescribeGroups 0-6 and DeleteGroups 0-3, for one shard or group each.
#include <algorithm>
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/record_codec.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

constexpr std::string_view kClassicType = "classic";
constexpr std::string_view kConsumerType = "consumer";
// Since version 6 a group that does not exist is an error; before it is a Dead one.
constexpr std::int16_t kGroupIdNotFoundSince = 6;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool passes(const std::vector<std::string>& filter, std::string_view value) {
  if (filter.empty()) return true;
  return std::ranges::any_of(
      filter, [&](const std::string& wanted) { return equals_ignoring_case(wanted, value); });
}

DescribedMember described(const Group& group, const Member& member) {
  DescribedMember out{.member_id = member.id,
                      .instance_id = member.instance_id,
                      .client_id = member.client_id,
                      .client_host = member.client_host,
                      .metadata = {},
                      .assignment = member.assignment};
  if (!group.is(GroupState::kStable)) return out;
  if (const Protocol* chosen = member.find_protocol(*group.protocol)) {
    out.metadata = chosen->metadata;
  }
  return out;
}

DescribedGroup not_found(const Call& call, const std::string& group_id) {
  DescribedGroup out{.group_id = group_id, .state = "Dead"};
  if (call.version < kGroupIdNotFoundSince) return out;
  out.error = ErrorCode::kGroupIdNotFound;
  out.error_message = "Group " + group_id + " not found.";
  return out;
}

}  // namespace

void GroupCoordinator::handle(const Call& call, const ListGroups& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  ListedGroups response;
  for (const auto& [group_id, group] : groups_) {
    const std::string_view type = group.consumer ? kConsumerType : kClassicType;
    const std::string_view state =
        group.consumer ? group.consumer->state_name() : name(group.state);
    if (!passes(request.states, state) || !passes(request.types, type)) continue;
    response.groups.push_back({.group_id = group_id,
                               .protocol_type = group.protocol_type.value_or(""),
                               .state = std::string(state),
                               .type = std::string(type)});
  }
  answer_after(last_append_, call.token, std::move(response), turn);
}

void GroupCoordinator::handle(const Call& call, const DescribeGroup& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  const Group* group = find_group(request.group_id);
  if (group == nullptr) {
    return answer_after(last_append_, call.token, not_found(call, request.group_id), turn);
  }
  if (group->consumer) {
    DescribedGroup other = not_found(call, request.group_id);
    if (other.error_message) {
      other.error_message = "Group " + request.group_id + " is not a classic group.";
    }
    return answer_after(group->last_append, call.token, std::move(other), turn);
  }
  DescribedGroup response{.group_id = group->id,
                          .state = std::string(name(group->state)),
                          .protocol_type = group->protocol_type.value_or("")};
  if (group->is(GroupState::kStable)) response.protocol = group->protocol.value_or("");
  for (const auto& [id_, member] : group->members) {
    response.members.push_back(described(*group, member));
  }
  answer_after(group->last_append, call.token, std::move(response), turn);
}

void GroupCoordinator::handle(const Call& call, const DeleteGroup& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  Group* group = find_group(request.group_id);
  if (group == nullptr) {
    return answer_after(last_append_, call.token, GroupDeleted{ErrorCode::kGroupIdNotFound}, turn);
  }
  if (!group->is(GroupState::kEmpty)) {
    return answer(call.token, GroupDeleted{ErrorCode::kNonEmptyGroup}, turn);
  }
  drop_pending(*group);
  std::vector<Record> records;
  for (const auto& [topic, partitions] : group->offsets) {
    for (const auto& [partition, value_] : partitions) {
      records.push_back(
          encode_offset_tombstone(group->id, {.topic = topic, .partition = partition}));
    }
  }
  for (Record& record : group_tombstones(*group)) records.push_back(std::move(record));
  append_in_parts(*group, std::move(records), turn);
  answer_after(group->last_append, call.token, GroupDeleted{}, turn);
  remove_group(*group);
}

}  // namespace broker::group
