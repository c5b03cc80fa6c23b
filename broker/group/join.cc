// JoinGroup 0-9.
#include <algorithm>
#include <array>
#include <utility>

#include "broker/group/consumer_beat.h"
#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/partition_of.h"
#include "common/base/check.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// Since version 9 a returning static leader hears that it need not assign again.
constexpr std::int16_t kSkipAssignmentSince = 9;
constexpr std::size_t kHexUuidSize = 36;

base::Duration ms(std::int32_t value) { return std::chrono::milliseconds(value); }

std::string hex_uuid(const base::Uuid& uuid) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kHexUuidSize);
  for (int digit = 0; digit < 32; ++digit) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) text += '-';
    const std::uint64_t half = digit < 16 ? uuid.high : uuid.low;
    text += kDigits[half >> (60 - 4 * (digit % 16)) & 0xf];
  }
  return text;
}

// By preference; of two with one name the first.
std::vector<Protocol> offered_protocols(const wire::JoinGroupRequest& request) {
  std::vector<Protocol> protocols;
  for (const auto& offered : request.protocols) {
    const bool is_twice = std::ranges::any_of(
        protocols, [&](const Protocol& other) { return other.name == offered.name; });
    if (is_twice) continue;
    if (protocols.size() > kProtocolsMax) break;  // refused by check_protocols
    protocols.push_back({.name = offered.name, .metadata = offered.metadata});
  }
  return protocols;
}

ErrorCode check_protocols(const std::vector<Protocol>& protocols) {
  if (protocols.size() > kProtocolsMax) return ErrorCode::kInconsistentGroupProtocol;
  std::size_t bytes = 0;
  for (const Protocol& offered : protocols) bytes += offered.metadata.size();
  return bytes > kMemberMetadataBytesMax ? ErrorCode::kMessageTooLarge : ErrorCode::kNone;
}

}  // namespace

void GroupCoordinator::handle(const Call& call, const wire::JoinGroupRequest& request,
                              Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  auto refuse = [&](ErrorCode error) { refuse_join(call.token, request.member_id, error, turn); };
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  const base::Duration session_timeout = ms(request.session_timeout_ms);
  if (session_timeout < config_.session_timeout_min ||
      session_timeout > config_.session_timeout_max) {
    return refuse(ErrorCode::kInvalidSessionTimeout);
  }
  Joining joining{.call = call,
                  .request = request,
                  .protocols = offered_protocols(request),
                  .session_timeout = session_timeout,
                  .rebalance_timeout = request.rebalance_timeout_ms < 0
                                           ? session_timeout
                                           : ms(request.rebalance_timeout_ms)};
  if (const auto error = check_protocols(joining.protocols); error != ErrorCode::kNone) {
    return refuse(error);
  }
  if (Group* consumers = find_consumers(request.group_id)) {
    return join_consumers(*consumers, joining, turn);
  }
  Group* group = group_to_join(joining, turn);
  if (group == nullptr) return;
  if (!accepts(*group, request.member_id)) {
    refuse_join(call.token, "", ErrorCode::kGroupMaxSizeReached, turn);
    return turn_away(*group, request.member_id, turn);
  }
  if (!group->supports(request.protocol_type, joining.protocols)) {
    refuse(ErrorCode::kInconsistentGroupProtocol);
  } else if (joining.has_member_id()) {
    join_known(*group, joining, turn);
  } else {
    join_new(*group, joining, turn);
  }
  forget_if_unused(request.group_id);
}

// Null when the request was answered: only who has no member id yet can make a group.
Group* GroupCoordinator::group_to_join(const Joining& joining, Turn& turn) {
  const std::string& group_id = joining.request.group_id;
  Group* known = find_group(group_id);
  if (known != nullptr && known->consumer) make_classic(*known, turn);
  if (known != nullptr) return known;
  if (!joining.has_member_id() && groups_.size() < kGroupsMax) return &make_group(group_id);
  refuse_join(
      joining.call.token, joining.request.member_id,
      joining.has_member_id() ? ErrorCode::kUnknownMemberId : ErrorCode::kCoordinatorNotAvailable,
      turn);
  return nullptr;
}

bool GroupCoordinator::accepts(const Group& group, std::string_view member_id) const {
  const auto member = group.members.find(member_id);
  const bool is_member = member != group.members.end();
  const bool is_known = is_member || group.pending_join.contains(member_id);
  if (!is_known && group.members.size() + group.pending_join.size() >= kMembersMax) return false;
  const auto size_max = static_cast<std::size_t>(config_.group_size_max);
  switch (group.state) {
    case GroupState::kEmpty:
      return true;
    case GroupState::kPreparingRebalance:
      // Counting those who wait lets a group that is over its size shrink: the last to come back
      // are turned away.
      return (is_member && member->second.awaiting_join) || group.awaiting_join_count < size_max;
    case GroupState::kCompletingRebalance:
    case GroupState::kStable:
      return is_member || group.members.size() < size_max;
  }
  CHECK(false);
}

void GroupCoordinator::turn_away(Group& group, const std::string& member_id, Turn& turn) {
  if (group.find_member(member_id) != nullptr) {
    remove_member(group, member_id, turn);
  } else if (group.pending_join.contains(member_id)) {
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
    group.remove_member(member_id);
  }
  maybe_complete_join(group, turn);
}

std::string GroupCoordinator::new_member_id(const Group& group, std::string_view prefix) {
  const std::string stem(utf8_prefix(prefix, kIdBytesMax - kHexUuidSize - 1));
  for (;;) {
    std::string id = stem + "-" + hex_uuid(base::Uuid::random(random_));
    const bool is_taken = group.members.contains(id) || group.pending_join.contains(id) ||
                          (group.consumer && group.consumer->find(id) != nullptr);
    if (!is_taken) return id;
  }
}

void GroupCoordinator::join_new(Group& group, Joining& joining, Turn& turn) {
  const auto& instance_id = joining.instance_id();
  if (instance_id) {
    const auto existing = group.static_members.find(*instance_id);
    if (existing != group.static_members.end()) {
      return replace_static(group, joining, std::string(existing->second), turn);
    }
    return add_and_rebalance(group, joining, new_member_id(group, *instance_id), turn);
  }
  std::string member_id = new_member_id(group, joining.call.client_id);
  if (joining.call.version < kMemberIdRequiredSince) {
    return add_and_rebalance(group, joining, std::move(member_id), turn);
  }
  group.pending_join.insert(member_id);
  deadlines_.set({DeadlineKind::kSession, group.id, member_id}, turn.now + joining.session_timeout);
  refuse_join(joining.call.token, member_id, ErrorCode::kMemberIdRequired, turn);
}

void GroupCoordinator::join_known(Group& group, Joining& joining, Turn& turn) {
  const std::string& member_id = joining.request.member_id;
  const Token token = joining.call.token;
  if (group.pending_join.contains(member_id)) {
    // Ids are given out to dynamic members only: a static one that has it made it up.
    if (joining.instance_id()) {
      return refuse_join(token, member_id, ErrorCode::kUnknownServerError, turn);
    }
    return add_and_rebalance(group, joining, member_id, turn);
  }
  const ErrorCode error = check_member(group, member_id, joining.instance_id());
  if (error != ErrorCode::kNone) return refuse_join(token, member_id, error, turn);
  rejoin(group, *group.find_member(member_id), joining, turn);
}

void GroupCoordinator::rejoin(Group& group, Member& member, Joining& joining, Turn& turn) {
  const bool is_unchanged = member.protocols == joining.protocols;
  // A follower, or anybody before the assignment is known, may have missed the last answer. But a
  // leader that joins in Stable knows of a reason to share out again.
  const bool may_repeat = group.is(GroupState::kCompletingRebalance) ||
                          (group.is(GroupState::kStable) && !group.is_leader(member.id));
  if (is_unchanged && may_repeat) {
    auto response = current_generation(group, member);
    if (group.is(GroupState::kStable)) response.members.clear();
    return answer(joining.call.token, std::move(response), turn);
  }
  CHECK(!group.is(GroupState::kEmpty));  // there is a member
  update_member(group, member, joining, turn);
  rebalance_or_complete(group, turn);
}

// Takes over what the request says of the member, which from now on waits for the rebalance.
void GroupCoordinator::update_member(Group& group, Member& member, Joining& joining, Turn& turn) {
  // The same member asks twice: the connection it asked on first is gone.
  answer_join(group, member,
              {.error_code = ErrorCode::kRebalanceInProgress, .member_id = member.id}, turn);
  group.set_protocols(member, std::move(joining.protocols));
  member.session_timeout = joining.session_timeout;
  member.rebalance_timeout = joining.rebalance_timeout;
  member.awaiting_join = joining.call.token;
  ++group.awaiting_join_count;
}

void GroupCoordinator::add_and_rebalance(Group& group, Joining& joining, std::string member_id,
                                         Turn& turn) {
  const bool is_first_rebalance =
      group.is(GroupState::kPreparingRebalance) && group.previous_state == GroupState::kEmpty;
  if (is_first_rebalance) {
    group.new_member_added = true;
    group.last_came_at = turn.now;
  }
  Member member;
  member.id = member_id;
  member.instance_id = joining.instance_id();
  member.client_id = joining.call.client_id;
  member.client_host = joining.call.client_host;
  member.session_timeout = joining.session_timeout;
  member.rebalance_timeout = joining.rebalance_timeout;
  member.protocols = std::move(joining.protocols);
  member.is_new = true;
  member.awaiting_join = joining.call.token;
  group.add_member(std::move(member), joining.request.protocol_type);
  deadlines_.set({DeadlineKind::kSession, group.id, std::move(member_id)},
                 turn.now + config_.new_member_join_timeout);
  rebalance_or_complete(group, turn);
}

// A static member comes back without its member id (KIP-345): it gets a new one and its place, and
// whoever still has the old id is fenced.
void GroupCoordinator::replace_static(Group& group, Joining& joining, const std::string& old_id,
                                      Turn& turn) {
  Member& old = *group.find_member(old_id);
  answer_join(group, old, {.error_code = ErrorCode::kFencedInstanceId, .member_id = old_id}, turn);
  answer_sync(old, {.error_code = ErrorCode::kFencedInstanceId}, turn);
  deadlines_.cancel({DeadlineKind::kSession, group.id, old_id});
  const std::optional<std::string> old_leader = group.leader;
  Member& member = group.rename_member(old_id, new_member_id(group, *joining.instance_id()));
  update_member(group, member, joining, turn);
  touch_session(group, member, turn.now);
  if (!group.is(GroupState::kStable)) {
    // In CompletingRebalance the leader may be assigning to the old id already: begin again.
    return rebalance_or_complete(group, turn);
  }
  const bool goes_on = group.protocol == group.select_protocol() && fits_saved(group);
  if (!goes_on) return prepare_rebalance(group, turn);
  answer_replaced(group, member, joining, old_leader, turn);
}

// The group stays Stable: its new member id must be in the log before the member learns it.
void GroupCoordinator::answer_replaced(Group& group, Member& member, const Joining& joining,
                                       const std::optional<std::string>& old_leader, Turn& turn) {
  save(group, turn);
  auto response = current_generation(group, member);
  if (joining.call.version >= kSkipAssignmentSince) {
    response.skip_assignment = group.is_leader(member.id);
  } else {
    // An older client that believed itself the leader would assign anew: it is told of its former
    // self.
    response.leader = old_leader.value_or("");
    response.members.clear();
  }
  member.awaiting_join.reset();
  --group.awaiting_join_count;
  member.told_after = group.last_append;
  answer_after(group.last_append, joining.call.token, std::move(response), turn);
}

}  // namespace broker::group
