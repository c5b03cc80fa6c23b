// ConsumerGroupHeartbeat 0-1 (KIP-848): a member says who it is, what it reads and what it owns; it
// hears what to own. Joining, changing and reconciling are here, leaving is in consumer_members.cc.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_beat.h"
#include "broker/group/consumer_codec.h"
#include "broker/group/consumer_expression.h"
#include "broker/group/consumer_reconcile.h"
#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

std::optional<Partitions> reported_by(const wire::ConsumerGroupHeartbeatRequest& request) {
  if (!request.topic_partitions) return std::nullopt;
  Partitions out;
  for (const auto& topic : *request.topic_partitions) {
    for (const std::int32_t partition : topic.partitions) out.insert({topic.topic_id, partition});
  }
  return out;
}

// A member may come with its last epoch: the answer that told it the new one was lost. Then it
// owns no more than it was given.
bool has_valid_epoch(const ConsumerMember& member, std::int32_t epoch,
                     const std::optional<Partitions>& reported) {
  if (epoch == member.epoch || MUTANT("consumer-takes-any-epoch")) return true;
  if (epoch > member.epoch || epoch != member.previous_epoch || !reported) return false;
  return std::ranges::all_of(*reported,
                             [&](const PartitionId& at) { return member.owned.contains(at); });
}

// What the request brings; what it leaves out stays.
void update(const wire::ConsumerGroupHeartbeatRequest& request, const Call& call,
            const std::optional<ConsumerMember::Classic>& classic, ConsumerMember& member) {
  member.client_id = call.client_id;
  member.client_host = call.client_host;
  member.classic = classic;
  if (request.instance_id) member.instance_id = request.instance_id;
  if (request.rack_id) member.rack = request.rack_id;
  if (request.rebalance_timeout_ms >= 0) member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.server_assignor) member.assignor = request.server_assignor;
  if (request.subscribed_topic_names) {
    member.topics = {request.subscribed_topic_names->begin(),
                     request.subscribed_topic_names->end()};
  }
  if (request.subscribed_topic_regex) {
    member.expression = request.subscribed_topic_regex;
    if (member.expression->empty()) member.expression.reset();
  }
}

bool reads_otherwise(const ConsumerMember& a, const ConsumerMember& b) {
  return a.topics != b.topics || a.expression != b.expression || a.assignor != b.assignor ||
         a.rack != b.rack;
}

// The member says everything about itself: it wants to hear everything.
bool is_full(const wire::ConsumerGroupHeartbeatRequest& request) {
  const bool has_subscription = request.subscribed_topic_names || request.subscribed_topic_regex;
  return request.member_epoch == kJoinEpoch ||
         (request.rebalance_timeout_ms >= 0 && has_subscription && request.topic_partitions);
}

wire::ConsumerGroupHeartbeatResponse::Assignment assignment_of(const ConsumerMember& member) {
  wire::ConsumerGroupHeartbeatResponse::Assignment out;
  for (const auto& [at, epoch_] : member.owned) {
    if (out.topic_partitions.empty() || out.topic_partitions.back().topic_id != at.topic_id) {
      out.topic_partitions.emplace_back().topic_id = at.topic_id;
    }
    out.topic_partitions.back().partitions.push_back(at.partition);
  }
  return out;
}

bool owns_the_same(const ConsumerMember& a, const ConsumerMember& b) {
  return std::ranges::equal(
      a.owned, b.owned, {}, [](const auto& each) { return each.first; },
      [](const auto& each) { return each.first; });
}

}  // namespace

void GroupCoordinator::handle(const Call& call, const ConsumerHeartbeat& ask, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  const auto& request = ask.request;
  auto refuse = [&](const BeatRefusal& why) {
    answer(
        call.token,
        wire::ConsumerGroupHeartbeatResponse{.error_code = why.error, .error_message = why.message},
        turn);
  };
  if (const auto why = invalid_beat(call.version, request, config_)) return refuse(*why);
  if (request.member_epoch < kJoinEpoch) return consumer_leave(call, request, turn);

  Beat beat{.call = call, .ask = ask, .turn = turn};
  beat.member_id =
      request.member_id.empty() ? base::Uuid::random(random_).to_string() : request.member_id;
  if (const auto why = refusal_to_join(beat)) return refuse(*why);
  Group& group = group_of_consumers(beat);
  decide(group, beat);
  if (!beat.records.empty()) append_in_parts(group, std::move(beat.records), turn);

  const ConsumerMember& member = *group.consumer->find(beat.member_id);
  deadlines_.set({DeadlineKind::kConsumerSession, group.id, member.id},
                 turn.now + ask.session_timeout.value_or(config_.consumer_session_timeout));
  wire::ConsumerGroupHeartbeatResponse response{
      .member_id = member.id,
      .member_epoch = member.epoch,
      .heartbeat_interval_ms = static_cast<std::int32_t>(
          next_beat_in(*group.consumer, member, ask, turn.now) / std::chrono::milliseconds(1)),
      .assignment = std::nullopt};
  const bool tells_all = is_full(request) || request.member_epoch != beat.before.epoch;
  if (tells_all || !owns_the_same(member, beat.before)) response.assignment = assignment_of(member);
  answer_after(group.last_append, call.token, std::move(response), turn);
}

// A partition moves in two heartbeats, of who gives it back and of who gets it.
base::Duration GroupCoordinator::next_beat_in(const ConsumerGroup& group,
                                              const ConsumerMember& member,
                                              const ConsumerHeartbeat& ask,
                                              base::Instant now) const {
  const auto interval = ask.heartbeat_interval.value_or(config_.consumer_heartbeat_interval);
  const auto hurried = std::min<base::Duration>(
      interval, std::max<base::Duration>(config_.consumer_hurried_interval,
                                         static_cast<std::int64_t>(group.members.size()) *
                                             config_.consumer_hurried_interval /
                                             config_.consumer_hurried_members));
  const auto due = next_target_at(group);
  const bool is_held_up = group.target_epoch != group.epoch && due && now < *due;
  const bool has_all = is_held_up && member.state == ConsumerMemberState::kStable &&
                       member.epoch == group.target_epoch && !group.waits_for_others(member);
  // There is nothing for it before the next target.
  if (has_all) return std::clamp<base::Duration>(*due - now, hurried, interval);
  if (!group.risen.at) return interval;
  const base::Duration since = now - *group.risen.at;
  const bool has_arrived = member.epoch == group.epoch && !group.waits_for_others(member);
  const auto until = has_arrived ? config_.consumer_hurry_of_all : config_.consumer_hurry_of_late;
  return since >= until ? interval : hurried;
}

// All that a member's word brings about.
void GroupCoordinator::decide(Group& group, Beat& beat) {
  ConsumerGroup& consumers = *group.consumer;
  if (beat.ask.assignment_interval) consumers.pace.interval = beat.ask.assignment_interval;
  take_member(group, beat);
  const auto read_before =
      beat.raises_epoch ? consumers.topics_of(beat.before) : std::set<std::string, std::less<>>{};
  resolve_expressions(group, beat);
  const auto reads =
      read_before.empty() ? read_before : consumers.topics_of(*consumers.find(beat.member_id));
  beat.reads_less = !std::ranges::includes(reads, read_before);
  raise_epoch(group, beat);
  make_target(group, beat);
  reconcile(group, beat);
  settle_consumers(group);
}

// Everything that can be refused is refused before anything changes.
std::optional<BeatRefusal> GroupCoordinator::refusal_to_join(Beat& beat) {
  const auto& request = beat.ask.request;
  const bool joins = request.member_epoch == kJoinEpoch;
  const Group* group = find_group(request.group_id);
  if (group == nullptr && joins && groups_.size() >= kGroupsMax) {
    return BeatRefusal{ErrorCode::kCoordinatorNotAvailable, "There are too many groups."};
  }
  const bool is_other = group != nullptr && !group->consumer;
  if ((group == nullptr || is_other) && !joins) {
    return BeatRefusal{ErrorCode::kGroupIdNotFound,
                       "Group " + request.group_id + " is not a consumer group."};
  }
  if (is_other && !group->is(GroupState::kEmpty)) {
    if (auto why = plan_upgrade(*group, beat)) return why;
  }
  static const ConsumerGroup kNobody;
  const ConsumerGroup& consumers = beat.upgrade                          ? beat.upgrade->consumers
                                   : group != nullptr && group->consumer ? *group->consumer
                                                                         : kNobody;
  const ConsumerMember* known = consumers.find(beat.member_id);
  const ConsumerMember* instance =
      request.instance_id ? consumers.find_static(*request.instance_id) : nullptr;
  if (instance != nullptr && instance->id != beat.member_id) {
    if (!joins)
      return BeatRefusal{ErrorCode::kFencedInstanceId, "Another member has the instance id."};
    // A classic one makes room: its successor speaks the other protocol now.
    if (instance->epoch != kStaticLeaveEpoch && !instance->classic) {
      return BeatRefusal{ErrorCode::kUnreleasedInstanceId,
                         "Static member " + instance->id + " has not left the group."};
    }
  } else if (known == nullptr && !joins) {
    return BeatRefusal{ErrorCode::kUnknownMemberId,
                       "Member " + beat.member_id + " is not a member of the group."};
  } else if (known != nullptr && known->epoch != kStaticLeaveEpoch &&
             !has_valid_epoch(*known, request.member_epoch, reported_by(request))) {
    return BeatRefusal{ErrorCode::kFencedMemberEpoch,
                       "The member is in epoch " + std::to_string(known->epoch) + "."};
  } else if (known != nullptr && known->epoch == kStaticLeaveEpoch && !joins) {
    return BeatRefusal{ErrorCode::kFencedMemberEpoch, "The member has left."};
  }
  const auto size_max =
      std::min(static_cast<std::size_t>(config_.consumer_group_size_max), kMembersMax);
  if (known == nullptr && instance == nullptr && consumers.members.size() >= size_max) {
    return BeatRefusal{ErrorCode::kGroupMaxSizeReached, "The group has as many members as it may."};
  }
  const auto& expression = request.subscribed_topic_regex;
  if (expression && !expression->empty() && !consumers.expressions.contains(*expression) &&
      consumers.expressions.size() >= kExpressionsMax) {
    return BeatRefusal{ErrorCode::kInvalidRegularExpression, "The group has too many expressions."};
  }
  if (!fits_member(beat, known))
    return BeatRefusal{ErrorCode::kInvalidRequest, "The subscription is too large."};
  return std::nullopt;
}

// Whether there can be a record of all that the member says.
bool GroupCoordinator::fits_member(const Beat& beat, const ConsumerMember* known) const {
  ConsumerMember next = known != nullptr ? *known : ConsumerMember{.id = beat.member_id};
  update(beat.ask.request, beat.call, beat.classic, next);
  std::vector<Record> record;
  record.push_back(encode_consumer({beat.ask.request.group_id, next.id, member_metadata_of(next)}));
  return fits(record);
}

// Makes the group, also out of one of the classic protocol.
Group& GroupCoordinator::group_of_consumers(Beat& beat) {
  Group& group = make_group(beat.ask.request.group_id);
  if (group.consumer) return group;
  if (beat.upgrade) return upgrade(group, beat), group;
  for (const std::string& member_id : group.pending_join) {
    deadlines_.cancel({DeadlineKind::kSession, group.id, member_id});
  }
  group.pending_join.clear();
  if (group.protocol_type) beat.records.push_back(encode_group_tombstone(group.id));
  make_consumers(group);
  return group;
}

void GroupCoordinator::change(Group& group, std::string name, ConsumerRecord::Value value,
                              std::vector<Record>& records) {
  const ConsumerRecord record{
      .group_id = group.id, .name = std::move(name), .value = std::move(value)};
  group.consumer->apply(record);
  records.push_back(encode_consumer(record));
}

void GroupCoordinator::take_member(Group& group, Beat& beat) {
  const auto& request = beat.ask.request;
  const ConsumerMember* instance =
      request.instance_id ? group.consumer->find_static(*request.instance_id) : nullptr;
  const bool is_back = instance != nullptr && instance->epoch == kStaticLeaveEpoch;
  if (is_back || (instance != nullptr && instance->id != beat.member_id)) {
    take_over(group, *instance, beat);
  }
  const ConsumerMember* known = group.consumer->find(beat.member_id);
  beat.before = known != nullptr ? *known : ConsumerMember{.id = beat.member_id};
  ConsumerMember next = beat.before;
  update(request, beat.call, beat.classic, next);
  if (known != nullptr && next == beat.before) return;
  beat.raises_epoch = known == nullptr || reads_otherwise(next, beat.before);
  change(group, next.id, member_metadata_of(next), beat.records);
}

// The static member is back, mostly under a new id: what it had waits for it.
void GroupCoordinator::take_over(Group& group, ConsumerMember member, Beat& beat) {
  const std::string old_id = member.id;
  const auto target = group.consumer->target.find(old_id);
  const Partitions kept = target == group.consumer->target.end() ? Partitions{} : target->second;
  drop_consumer(group, old_id, beat.records);
  member.id = beat.member_id;
  member.epoch = kJoinEpoch;
  member.previous_epoch = kJoinEpoch;
  change(group, member.id, member_metadata_of(member), beat.records);
  change(group, member.id, target_of(kept), beat.records);
  change(group, member.id, current_of(member), beat.records);
}

void GroupCoordinator::reconcile(Group& group, Beat& beat) {
  const ConsumerMember member = *group.consumer->find(beat.member_id);
  const ConsumerMember next = reconciled(*group.consumer, member, reported_by(beat.ask.request));
  if (next == member) return;
  const DeadlineKey revoke{DeadlineKind::kConsumerRevoke, group.id, member.id};
  // Classic members give back by joining again, which has a deadline of its own.
  if (next.state == ConsumerMemberState::kUnrevoked && !next.classic) {
    deadlines_.set(revoke, beat.turn.now + std::chrono::milliseconds(next.rebalance_timeout_ms));
  } else {
    deadlines_.cancel(revoke);
  }
  change(group, next.id, current_of(next), beat.records);
}

}  // namespace broker::group
