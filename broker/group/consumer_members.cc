// Members of consumer groups that leave or are given up, groups that change their protocol, and
// what commits and reads of members must prove.
#include <algorithm>
#include <utility>

#include "broker/group/consumer_beat.h"
#include "broker/group/consumer_codec.h"
#include "broker/group/consumer_expression.h"
#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// Of OffsetCommit: the field before was a generation.
constexpr std::int16_t kMemberEpochSince = 9;
constexpr std::int16_t kClientMakesIdSince = 1;

}  // namespace

std::optional<BeatRefusal> invalid_beat(std::int16_t version,
                                        const wire::ConsumerGroupHeartbeatRequest& request,
                                        const Config& config) {
  auto invalid = [](std::string message) {
    return BeatRefusal{ErrorCode::kInvalidRequest, std::move(message)};
  };
  const bool joins = request.member_epoch == kJoinEpoch;
  const auto is_empty = [](const auto& field) { return field && field->empty(); };
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (request.member_id.empty() && (version >= kClientMakesIdSince || !joins)) {
    return invalid("MemberId can't be empty.");
  }
  if (is_empty(request.instance_id)) return invalid("InstanceId can't be empty.");
  if (is_empty(request.rack_id)) return invalid("RackId can't be empty.");
  if (request.member_epoch < kStaticLeaveEpoch) return invalid("MemberEpoch is invalid.");
  if (request.member_epoch == kStaticLeaveEpoch && !request.instance_id) {
    return invalid("InstanceId can't be null.");
  }
  if (joins) {
    if (request.rebalance_timeout_ms < 0) {
      return invalid("RebalanceTimeoutMs must be provided in first request.");
    }
    if (!request.topic_partitions || !request.topic_partitions->empty()) {
      return invalid("TopicPartitions must be empty when (re-)joining.");
    }
    const bool has_names = request.subscribed_topic_names.has_value();
    if (!has_names && !request.subscribed_topic_regex) {
      return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be given.");
    }
  }
  if (request.subscribed_topic_names &&
      request.subscribed_topic_names->size() > kSubscribedTopicsMax) {
    return invalid("SubscribedTopicNames has too many names.");
  }
  if (request.server_assignor) {
    const auto assignor = find_assignor(*request.server_assignor);
    if (!assignor || std::ranges::find(config.consumer_assignors, *assignor) ==
                         config.consumer_assignors.end()) {
      return BeatRefusal{ErrorCode::kUnsupportedAssignor,
                         "ServerAssignor " + *request.server_assignor + " is not supported."};
    }
  }
  if (request.subscribed_topic_regex) {
    if (const auto error = expression_error(*request.subscribed_topic_regex)) {
      return BeatRefusal{ErrorCode::kInvalidRegularExpression,
                         "SubscribedTopicRegex cannot be used: " + *error + "."};
    }
  }
  return std::nullopt;
}

void GroupCoordinator::consumer_leave(const Call& call,
                                      const wire::ConsumerGroupHeartbeatRequest& request,
                                      Turn& turn) {
  auto say = [&](ErrorCode error) {
    answer(call.token, wire::ConsumerGroupHeartbeatResponse{.error_code = error}, turn);
  };
  Group* group = find_group(request.group_id);
  if (group == nullptr || !group->consumer) return say(ErrorCode::kGroupIdNotFound);
  const ConsumerMember* found = request.instance_id
                                    ? group->consumer->find_static(*request.instance_id)
                                    : group->consumer->find(request.member_id);
  if (found == nullptr) return say(ErrorCode::kUnknownMemberId);
  if (found->id != request.member_id) return say(ErrorCode::kFencedInstanceId);
  if (request.member_epoch == kStaticLeaveEpoch) {
    std::vector<Record> records;
    // It keeps its place, and its session goes on: it may be back within it.
    ConsumerMember gone = *found;
    gone.previous_epoch = gone.epoch;
    gone.epoch = kStaticLeaveEpoch;
    gone.state = ConsumerMemberState::kStable;
    gone.revoking.clear();
    deadlines_.cancel({DeadlineKind::kConsumerRevoke, group->id, gone.id});
    change(*group, gone.id, current_of(gone), records);
    append_in_parts(*group, std::move(records), turn);
  } else {
    remove_consumers(*group, {found->id}, turn);
  }
  answer_after(group->last_append, call.token,
               wire::ConsumerGroupHeartbeatResponse{.member_id = request.member_id,
                                                    .member_epoch = request.member_epoch,
                                                    .assignment = std::nullopt},
               turn);
}

// All of it but its share in the group's epoch.
void GroupCoordinator::drop_consumer(Group& group, const std::string& member_id,
                                     std::vector<Record>& records) {
  deadlines_.cancel({DeadlineKind::kConsumerSession, group.id, member_id});
  deadlines_.cancel({DeadlineKind::kConsumerRevoke, group.id, member_id});
  deadlines_.cancel({DeadlineKind::kConsumerJoin, group.id, member_id});
  deadlines_.cancel({DeadlineKind::kConsumerSync, group.id, member_id});
  change(group, member_id, ConsumerRecord::Current{}, records);
  change(group, member_id, ConsumerRecord::TargetMember{}, records);
  change(group, member_id, ConsumerRecord::MemberMetadata{}, records);
}

void GroupCoordinator::remove_consumers(Group& group, const std::vector<std::string>& member_ids,
                                        Turn& turn) {
  std::vector<Record> records;
  for (const std::string& member_id : member_ids) {
    const auto expression = group.consumer->find(member_id)->expression;
    drop_consumer(group, member_id, records);
    if (expression && !group.consumer->uses_expression(*expression)) {
      change(group, *expression, ConsumerRecord::Expression{}, records);
    }
  }
  if (downgrade(group, records, false, turn)) return;
  const wire::ConsumerGroupMetadataValue next{.epoch = group.consumer->epoch + 1,
                                              .metadata_hash = group.consumer->metadata_hash};
  change(group, "", next, records);
  settle_consumers(group);
  append_in_parts(group, std::move(records), turn);
}

void GroupCoordinator::on_consumer_deadline(Group& group, const std::string& member_id,
                                            Turn& turn) {
  CHECK(group.consumer && group.consumer->find(member_id) != nullptr);
  if (MUTANT("consumer-keeps-the-dead")) return;
  ++stats_.members_expired;
  remove_consumers(group, {member_id}, turn);
}

// After every change of members.
void GroupCoordinator::settle_consumers(Group& group) {
  group.state = group.consumer->members.empty() ? GroupState::kEmpty : GroupState::kStable;
  group.logged = true;
}

void GroupCoordinator::make_consumers(Group& group) {
  Group next{.id = group.id};
  next.offsets = std::move(group.offsets);
  next.offset_count = group.offset_count;
  next.unstable = std::move(group.unstable);
  next.last_append = group.last_append;
  next.logged = group.logged;
  next.protocol_type = "consumer";
  next.consumer.emplace();
  group = std::move(next);
}

// An empty consumer group is made one of the classic protocol.
void GroupCoordinator::make_classic(Group& group, Turn& turn) {
  CHECK(group.consumer && group.consumer->members.empty());
  append_in_parts(group, group_tombstones(group), turn);
  group.consumer.reset();
  group.protocol_type.reset();
  group.logged = group.offset_count > 0 || !group.unstable.empty();
}

void GroupCoordinator::replay_consumer(const ConsumerRecord& record) {
  Group* group = find_group(record.group_id);
  const bool has_consumers = group != nullptr && group->consumer;
  if (record.is_tombstone() && !has_consumers) return;
  if (record.ends_group()) {
    group->consumer.reset();
    group->protocol_type.reset();
    group->state = GroupState::kEmpty;
    if (group->offset_count == 0 && group->unstable.empty()) groups_.erase(record.group_id);
    return;
  }
  if (group == nullptr) group = &make_group(record.group_id);
  if (!group->consumer) make_consumers(*group);
  group->consumer->apply(record);
  settle_consumers(*group);
}

void GroupCoordinator::resume_consumers(Group& group, Turn& turn) {
  for (const auto& [member_id, member] : group.consumer->members) {
    const base::Duration session =
        member.classic ? std::chrono::milliseconds(std::max(member.classic->session_timeout_ms, 0))
                       : config_.consumer_session_timeout;
    deadlines_.set({DeadlineKind::kConsumerSession, group.id, member_id}, turn.now + session);
    if (member.state != ConsumerMemberState::kUnrevoked || member.classic) continue;
    deadlines_.set({DeadlineKind::kConsumerRevoke, group.id, member_id},
                   turn.now + std::chrono::milliseconds(std::max(member.rebalance_timeout_ms, 0)));
  }
}

ErrorCode GroupCoordinator::check_consumer_commit(const Call& call, const CommitOffsets& request,
                                                  const ConsumerGroup& group) const {
  const bool is_anonymous = request.member_id.empty() && request.generation < 0;
  if (is_anonymous && (group.members.empty() || request.producer)) return ErrorCode::kNone;
  const ConsumerMember* member = group.find(request.member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  if (request.generation == member->epoch) {
    const bool is_epoch = request.producer || member->classic || call.version >= kMemberEpochSince;
    return is_epoch ? ErrorCode::kNone : ErrorCode::kUnsupportedVersion;
  }
  // To a classic member its epoch is a generation like any other.
  if (member->classic) return ErrorCode::kIllegalGeneration;
  if (!request.producer && call.version < kMemberEpochSince) return ErrorCode::kUnsupportedVersion;
  const ErrorCode stale =
      request.producer ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
  if (request.generation > member->epoch) return stale;
  // From an epoch before: good for what the member has owned since then (KIP-1251).
  const bool has_owned_all = std::ranges::all_of(request.partitions, [&](const auto& each) {
    const PartitionId at{each.topic_id, each.at.partition};
    const auto owned = member->owned.find(at);
    return owned != member->owned.end() && owned->second <= request.generation;
  });
  if (MUTANT("consumer-takes-stale-commits")) return ErrorCode::kNone;
  return has_owned_all ? ErrorCode::kNone : stale;
}

ErrorCode GroupCoordinator::check_consumer_fetch(const FetchOffsets& request, const Group& group) {
  const bool is_member = request.member_id && !request.member_id->empty();
  if (!group.consumer || (!is_member && request.member_epoch < 0)) return ErrorCode::kNone;
  const ConsumerMember* member = group.consumer->find(request.member_id.value_or(""));
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  if (request.member_epoch == member->epoch) return ErrorCode::kNone;
  return member->classic ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
}

// Everything that says there is a group, its offsets aside.
std::vector<Record> group_tombstones(const Group& group) {
  std::vector<Record> records;
  if (!group.consumer) {
    records.push_back(encode_group_tombstone(group.id));
    return records;
  }
  auto add = [&](std::string name, ConsumerRecord::Value value) {
    records.push_back(encode_consumer({group.id, std::move(name), std::move(value)}));
  };
  for (const auto& [member_id, member_] : group.consumer->members) {
    add(member_id, ConsumerRecord::Current{});
    add(member_id, ConsumerRecord::TargetMember{});
    add(member_id, ConsumerRecord::MemberMetadata{});
  }
  for (const auto& [expression, resolved_] : group.consumer->expressions) {
    add(expression, ConsumerRecord::Expression{});
  }
  add("", ConsumerRecord::TargetMetadata{});
  add("", ConsumerRecord::Metadata{});
  return records;
}

}  // namespace broker::group
