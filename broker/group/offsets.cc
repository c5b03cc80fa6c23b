// OffsetCommit 2-10, OffsetFetch 1-10 and OffsetDelete 0, for one group each.
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/limits.h"
#include "broker/group/partition_of.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

using wire::ErrorCode;

namespace {

// A transaction may still change what the offset is (KIP-447).
void mark_unstable(const FetchOffsets& request, const Group& group, FetchedOffset& answer) {
  const bool is_unstable = group.unstable.contains({answer.at.topic, answer.at.partition});
  if (!request.require_stable || !is_unstable || MUTANT("group-answers-unstable-offsets")) return;
  answer = {.at = std::move(answer.at),
            .topic_id = answer.topic_id,
            .error = ErrorCode::kUnstableOffsetCommit};
}

// Since version 9 a commit to a group that does not exist is told so.
constexpr std::int16_t kGroupIdNotFoundSince = 9;

}  // namespace

ErrorCode GroupCoordinator::check_commit(const Call& call, const CommitOffsets& request,
                                         Group* group) const {
  const bool is_admin_or_simple = request.generation < 0;
  if (group == nullptr) {
    if (is_admin_or_simple) {
      return groups_.size() < kGroupsMax ? ErrorCode::kNone : ErrorCode::kCoordinatorNotAvailable;
    }
    return call.version >= kGroupIdNotFoundSince ? ErrorCode::kGroupIdNotFound
                                                 : ErrorCode::kIllegalGeneration;
  }
  if (group->consumer) return check_consumer_commit(call, request, *group->consumer);
  if (is_admin_or_simple && group->is(GroupState::kEmpty)) return ErrorCode::kNone;
  // Old transactional producers do not say which member they are of.
  const bool is_anonymous = request.member_id.empty() && !request.instance_id;
  if (request.producer && is_admin_or_simple && is_anonymous) return ErrorCode::kNone;
  // While there are members only they commit.
  if (is_admin_or_simple && request.member_id.empty() && !request.instance_id) {
    return ErrorCode::kUnknownMemberId;
  }
  const auto error = check_member(*group, request.member_id, request.instance_id);
  if (MUTANT("group-takes-anybodys-commits")) return ErrorCode::kNone;
  if (error != ErrorCode::kNone) return error;
  if (request.generation != group->generation) return ErrorCode::kIllegalGeneration;
  const bool is_between = group->is(GroupState::kCompletingRebalance);
  if (is_between && !request.producer) return ErrorCode::kRebalanceInProgress;
  return ErrorCode::kNone;
}

void GroupCoordinator::answer_commit_error(const Call& call, const CommitOffsets& request,
                                           ErrorCode error, Turn& turn) {
  OffsetsCommitted response;
  for (const auto& partition : request.partitions) {
    response.partitions.push_back({.at = partition.at, .error = error});
  }
  answer(call.token, std::move(response), turn);
}

void GroupCoordinator::handle(const Call& call, const CommitOffsets& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  Group* group = find_group(request.group_id);
  const ErrorCode refusal = check_commit(call, request, group);
  if (refusal != ErrorCode::kNone) return answer_commit_error(call, request, refusal, turn);

  OffsetsCommitted response;
  std::vector<Record> records;
  std::vector<std::pair<TopicPartition, CommittedOffset>> stored;
  for (const auto& partition : request.partitions) {
    const bool is_too_large = utf16_length(partition.metadata) >
                              static_cast<std::size_t>(config_.offset_metadata_bytes_max);
    response.partitions.push_back(
        {.at = partition.at,
         .error = is_too_large ? ErrorCode::kOffsetMetadataTooLarge : ErrorCode::kNone});
    if (is_too_large) continue;
    CommittedOffset value{.offset = partition.offset,
                          .leader_epoch = partition.leader_epoch,
                          .metadata = partition.metadata,
                          .commit_ms = turn.wall_ms,
                          .expire_ms = std::nullopt,
                          .topic_id = partition.topic_id};
    if (request.retention) {
      using std::chrono::milliseconds;
      value.expire_ms =
          turn.wall_ms + std::chrono::duration_cast<milliseconds>(*request.retention).count();
    }
    records.push_back(encode_offset(request.group_id, partition.at, value));
    stored.emplace_back(partition.at, std::move(value));
  }
  const std::size_t held = group == nullptr ? 0 : group->offset_count;
  if (!fits(records) || held + stored.size() > kOffsetsPerGroupMax) {
    return answer_commit_error(call, request, ErrorCode::kInvalidCommitOffsetSize, turn);
  }
  if (group != nullptr) keep_session(*group, request, turn);
  if (records.empty()) return answer(call.token, std::move(response), turn);

  if (group == nullptr) group = &make_group(request.group_id);
  for (auto& [at, value] : stored) {
    if (request.producer) {
      store_pending(*group, request.producer->id, at, std::move(value));
    } else {
      store_offset(*group, at, std::move(value));
    }
  }
  stats_.offset_commits += records.size();
  group->last_append = append(std::move(records), turn);
  turn.out.append.back().producer = request.producer;
  answer_after(group->last_append, call.token, std::move(response), turn);
}

// A member that commits is alive.
void GroupCoordinator::keep_session(Group& group, const CommitOffsets& request, Turn& turn) {
  if (request.generation < 0 || group.consumer) return;
  const Member* member = group.find_member(request.member_id);
  if (MUTANT("group-takes-anybodys-commits") && member == nullptr) return;
  CHECK(member != nullptr);
  touch_session(group, *member, turn.now);
}

void GroupCoordinator::handle(const Call& call, const FetchOffsets& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  const Group* group = find_group(request.group_id);
  FetchedOffsets response;
  if (group != nullptr) response.error = check_consumer_fetch(request, *group);
  if (response.error != ErrorCode::kNone) return answer(call.token, std::move(response), turn);
  auto put = [&](std::string_view topic, std::int32_t partition, const CommittedOffset& value) {
    response.partitions.push_back({.at = {.topic = std::string(topic), .partition = partition},
                                   .topic_id = value.topic_id,
                                   .offset = value.offset,
                                   .leader_epoch = value.leader_epoch,
                                   .metadata = value.metadata});
  };
  if (request.all && group != nullptr) {
    for (const auto& [topic, partitions] : group->offsets) {
      for (const auto& [partition, value] : partitions) {
        put(topic, partition, value);
        mark_unstable(request, *group, response.partitions.back());
      }
    }
  }
  for (const auto& asked : request.partitions) {
    const CommittedOffset* value = group == nullptr ? nullptr : find_offset(*group, asked.at);
    // An offset of a deleted topic that had the same name means nothing here.
    const bool is_other_topic = value != nullptr && !asked.topic_id.is_zero() &&
                                !value->topic_id.is_zero() && asked.topic_id != value->topic_id;
    const bool is_there = value != nullptr && !is_other_topic;
    put(asked.at.topic, asked.at.partition, is_there ? *value : CommittedOffset{});
    if (group != nullptr) mark_unstable(request, *group, response.partitions.back());
  }
  // Whoever reads must not see what a crash can take back: this is requireStable, too.
  const AppendNumber after = group == nullptr ? last_append_ : group->last_append;
  answer_after(after, call.token, std::move(response), turn);
}

const CommittedOffset* GroupCoordinator::find_offset(const Group& group, const TopicPartition& at) {
  const auto topic = group.offsets.find(at.topic);
  if (topic == group.offsets.end()) return nullptr;
  const auto partition = topic->second.find(at.partition);
  return partition == topic->second.end() ? nullptr : &partition->second;
}

void GroupCoordinator::handle(const Call& call, const DeleteOffsets& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  auto refuse = [&](ErrorCode error) {
    answer(call.token, OffsetsDeleted{.error = error, .partitions = {}}, turn);
  };
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  Group* group = find_group(request.group_id);
  if (group == nullptr) return refuse(ErrorCode::kGroupIdNotFound);
  // Of other kinds of groups we cannot tell what they are reading.
  if (!group->is(GroupState::kEmpty) && !group->uses_consumer_protocol()) {
    return refuse(ErrorCode::kNonEmptyGroup);
  }
  OffsetsDeleted response;
  std::vector<Record> records;
  for (const TopicPartition& at : request.partitions) {
    const bool is_in_use = group->is_subscribed_to(at.topic);
    response.partitions.push_back(
        {.at = at, .error = is_in_use ? ErrorCode::kGroupSubscribedToTopic : ErrorCode::kNone});
    if (!is_in_use && drop_offset(*group, at)) {
      records.push_back(encode_offset_tombstone(group->id, at));
    }
  }
  append_in_parts(*group, std::move(records), turn);
  answer_after(group->last_append, call.token, std::move(response), turn);
}

}  // namespace broker::group
