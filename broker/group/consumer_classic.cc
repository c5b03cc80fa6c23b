// Members of the classic protocol in a consumer group, after an online migration: to them the group
// is a classic one in which the coordinator does the leader's work. JoinGroup is a heartbeat that
// says everything, SyncGroup asks what to own, and Heartbeat tells when to join again. A member's
// epoch is its generation.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_beat.h"
#include "broker/group/consumer_codec.h"
#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// Since version 5 a member must say which protocol it believes was chosen (KIP-559).
constexpr std::int16_t kProtocolRequiredSince = 5;
constexpr std::string_view kProtocolType = "consumer";

std::int32_t to_ms(base::Duration duration) {
  return static_cast<std::int32_t>(duration / std::chrono::milliseconds(1));
}

ConsumerMember::Classic classic_of(std::vector<Protocol> protocols, base::Duration session) {
  ConsumerMember::Classic out{.session_timeout_ms = to_ms(session), .supported_protocols = {}};
  for (Protocol& each : protocols) {
    out.supported_protocols.push_back({std::move(each.name), std::move(each.metadata)});
  }
  return out;
}

// What a JoinGroup says, in the words of the consumer protocol.
wire::ConsumerGroupHeartbeatRequest in_other_words(const wire::JoinGroupRequest& request,
                                                   base::Duration rebalance_timeout,
                                                   const Subscription& subscription,
                                                   const Topics& topics) {
  wire::ConsumerGroupHeartbeatRequest out{.group_id = request.group_id,
                                          .member_id = request.member_id,
                                          .member_epoch = kJoinEpoch,
                                          .instance_id = request.group_instance_id,
                                          .rack_id = subscription.rack,
                                          .rebalance_timeout_ms = to_ms(rebalance_timeout),
                                          .subscribed_topic_names = subscription.topics,
                                          .subscribed_topic_regex = ""};
  out.topic_partitions.emplace();
  for (const PartitionId& at : with_ids(subscription.owned, topics)) {
    out.topic_partitions->push_back({.topic_id = at.topic_id, .partitions = {at.partition}});
  }
  return out;
}

ErrorCode check_instance(const ConsumerGroup& group, std::string_view member_id,
                         const std::optional<std::string>& instance_id) {
  if (!instance_id) return ErrorCode::kNone;
  const ConsumerMember* instance = group.find_static(*instance_id);
  if (instance == nullptr) return ErrorCode::kUnknownMemberId;
  return instance->id == member_id ? ErrorCode::kNone : ErrorCode::kFencedInstanceId;
}

// Of SyncGroup and Heartbeat alike.
template <class Request>
ErrorCode check_classic(const ConsumerGroup& group, const Request& request) {
  const ErrorCode error = check_instance(group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::kNone) return error;
  const ConsumerMember* member = group.find(request.member_id);
  const bool is_classic =
      member != nullptr && member->classic && !member->classic->supported_protocols.empty();
  if (!is_classic) return ErrorCode::kUnknownMemberId;
  return request.generation_id == member->epoch ? ErrorCode::kNone : ErrorCode::kIllegalGeneration;
}

// `reachable`: the epoch that it could have now.
ErrorCode check_sync(const Call& call, const wire::SyncGroupRequest& request,
                     const ConsumerGroup& group, std::int32_t reachable) {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  const bool names_protocol = request.protocol_type && request.protocol_name;
  if (call.version >= kProtocolRequiredSince && !names_protocol) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  if (const auto error = check_classic(group, request); error != ErrorCode::kNone) return error;
  const ConsumerMember& member = *group.find(request.member_id);
  const std::string& protocol = member.classic->supported_protocols.front().name;
  if (request.protocol_type.value_or(std::string(kProtocolType)) != kProtocolType ||
      request.protocol_name.value_or(protocol) != protocol) {
    return ErrorCode::kInconsistentGroupProtocol;
  }
  // Who has to give back has joined already: it hears what it may keep.
  const bool is_behind = reachable > member.epoch;
  return is_behind && member.state != ConsumerMemberState::kUnrevoked
             ? ErrorCode::kRebalanceInProgress
             : ErrorCode::kNone;
}

}  // namespace

void GroupCoordinator::join_consumers(Group& group, Joining& joining, Turn& turn) {
  const wire::JoinGroupRequest& request = joining.request;
  const Token token = joining.call.token;
  const ConsumerGroup& consumers = *group.consumer;
  CHECK(topics_ != nullptr);
  auto refuse = [&](ErrorCode error) { refuse_join(token, request.member_id, error, turn); };
  const ConsumerMember* instance =
      joining.instance_id() ? consumers.find_static(*joining.instance_id()) : nullptr;
  const ConsumerMember* known = consumers.find(request.member_id);
  const bool is_known = instance != nullptr || known != nullptr;
  const auto size_max =
      std::min(static_cast<std::size_t>(config_.consumer_group_size_max), kMembersMax);
  if (!is_known && consumers.members.size() >= size_max) {
    return refuse_join(token, "", ErrorCode::kGroupMaxSizeReached, turn);
  }
  std::vector<std::string> names;
  for (const Protocol& each : joining.protocols) names.push_back(each.name);
  const auto subscription =
      names.empty() ? std::nullopt : read_subscription(joining.protocols.front().metadata);
  if (request.protocol_type != kProtocolType || !consumers.supports_classic(names) ||
      !subscription || subscription->topics.size() > kSubscribedTopicsMax) {
    return refuse(ErrorCode::kInconsistentGroupProtocol);
  }
  ConsumerHeartbeat ask{
      .request = in_other_words(request, joining.rebalance_timeout, *subscription, *topics_),
      .topics = topics_};
  if (joining.has_member_id()) {
    const auto error = check_instance(consumers, request.member_id, joining.instance_id());
    if (error != ErrorCode::kNone) return refuse(error);
    // It was sent away and has not heard: what it still owns may be others' by now. It has to give
    // that up before it is a member again.
    if (!is_known && !subscription->owned.empty()) return refuse(ErrorCode::kUnknownMemberId);
  } else {
    // Nothing has to remember a dynamic member's id: with any id it is a new member.
    ask.request.member_id =
        new_member_id(group, joining.instance_id().value_or(joining.call.client_id));
    if (joining.call.version >= kMemberIdRequiredSince && !joining.instance_id()) {
      return refuse_join(token, ask.request.member_id, ErrorCode::kMemberIdRequired, turn);
    }
  }
  const bool replaces_consumer = instance != nullptr && !instance->classic;
  Beat beat{.call = joining.call, .ask = ask, .turn = turn};
  beat.member_id = ask.request.member_id;
  beat.classic = classic_of(std::move(joining.protocols), joining.session_timeout);
  if (!fits_member(beat, known)) return refuse(ErrorCode::kMessageTooLarge);
  decide(group, beat);

  answer_joined(group, beat, joining, replaces_consumer);
}

// The last member of the consumer protocol may just have been replaced.
void GroupCoordinator::answer_joined(Group& group, Beat& beat, const Joining& joining,
                                     bool replaces_consumer) {
  Turn& turn = beat.turn;
  const ConsumerMember member = *group.consumer->find(beat.member_id);
  deadlines_.cancel({DeadlineKind::kConsumerJoin, group.id, member.id});
  const bool is_settled = !beat.raises_epoch && group.consumer->state_name() == "Stable";
  if (!replaces_consumer || !downgrade(group, beat.records, is_settled, turn)) {
    if (!beat.records.empty()) append_in_parts(group, std::move(beat.records), turn);
    deadlines_.set({DeadlineKind::kConsumerSession, group.id, member.id},
                   turn.now + joining.session_timeout);
    deadlines_.set({DeadlineKind::kConsumerSync, group.id, member.id},
                   turn.now + joining.rebalance_timeout);
  }
  answer_after(
      group.last_append, joining.call.token,
      wire::JoinGroupResponse{.generation_id = member.epoch,
                              .protocol_type = std::string(kProtocolType),
                              .protocol_name = member.classic->supported_protocols.front().name,
                              .member_id = member.id,
                              .members = {}},
      turn);
}

void GroupCoordinator::sync_consumers(Group& group, const Call& call,
                                      const wire::SyncGroupRequest& request, Turn& turn) {
  const ErrorCode error =
      check_sync(call, request, *group.consumer, reachable_epoch(*group.consumer, turn.now));
  const ConsumerMember* member = group.consumer->find(request.member_id);
  if (error == ErrorCode::kRebalanceInProgress) ask_to_join(group, *member, turn);
  if (error != ErrorCode::kNone) return refuse_sync(call.token, error, turn);
  deadlines_.cancel({DeadlineKind::kConsumerSync, group.id, member->id});
  deadlines_.set({DeadlineKind::kConsumerSession, group.id, member->id},
                 turn.now + std::chrono::milliseconds(member->classic->session_timeout_ms));
  answer_after(group.last_append, call.token,
               wire::SyncGroupResponse{.protocol_type = request.protocol_type,
                                       .protocol_name = request.protocol_name,
                                       .assignment = assignment_for(*member)},
               turn);
}

base::Bytes GroupCoordinator::assignment_for(const ConsumerMember& member) const {
  CHECK(topics_ != nullptr);
  Partitions owned;
  for (const auto& [at, epoch_] : member.owned) owned.insert(at);
  const auto said = read_subscription(member.classic->supported_protocols.front().metadata);
  return write_assignment(said ? said->version : std::int16_t{0}, with_names(owned, *topics_));
}

ErrorCode GroupCoordinator::beat_of_classic(Group& group, const wire::HeartbeatRequest& request,
                                            Turn& turn) {
  const ConsumerGroup& consumers = *group.consumer;
  const ErrorCode error = check_classic(consumers, request);
  if (error != ErrorCode::kNone) return error;
  const ConsumerMember& member = *consumers.find(request.member_id);
  deadlines_.set({DeadlineKind::kConsumerSession, group.id, member.id},
                 turn.now + std::chrono::milliseconds(member.classic->session_timeout_ms));
  // It joins again when the group's target has moved on or may do so, when it has to give back, and
  // when all that it waited for is free.
  const bool may_get_the_rest =
      member.state == ConsumerMemberState::kUnreleased && !consumers.waits_for_others(member);
  const bool must_join = member.epoch < reachable_epoch(consumers, turn.now) ||
                         member.state == ConsumerMemberState::kUnrevoked || may_get_the_rest;
  if (!must_join || MUTANT("classic-is-never-asked-to-join")) return ErrorCode::kNone;
  ask_to_join(group, member, turn);
  return ErrorCode::kRebalanceInProgress;
}

// It has its rebalance timeout for it, from the first time that it was told.
void GroupCoordinator::ask_to_join(const Group& group, const ConsumerMember& member, Turn& turn) {
  const DeadlineKey join{DeadlineKind::kConsumerJoin, group.id, member.id};
  if (deadlines_.is_set(join)) return;
  deadlines_.set(join,
                 turn.now + std::chrono::milliseconds(std::max(member.rebalance_timeout_ms, 0)));
}

}  // namespace broker::group
