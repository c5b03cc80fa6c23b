// How a shard answers: at once, or when what the answer tells of is committed.
#include <algorithm>
#include <utility>

#include "broker/group/group_coordinator.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {
namespace {

using wire::ErrorCode;

// The commit API has a word of its own for "too large".
ErrorCode commit_error(ErrorCode append_error) {
  const bool is_too_large = append_error == ErrorCode::kMessageTooLarge ||
                            append_error == ErrorCode::kRecordListTooLarge ||
                            append_error == ErrorCode::kInvalidFetchSize;
  return is_too_large ? ErrorCode::kInvalidCommitOffsetSize : coordinator_error(append_error);
}

// Turns an answer that must not be given any more into one that says why.
struct Spoil {
  ErrorCode append_error;

  ErrorCode error() const { return coordinator_error(append_error); }

  void operator()(wire::JoinGroupResponse& response) const {
    response = {.error_code = error(), .member_id = response.member_id};
  }
  void operator()(wire::SyncGroupResponse& response) const { response = {.error_code = error()}; }
  void operator()(wire::HeartbeatResponse& response) const { response = {.error_code = error()}; }
  void operator()(wire::LeaveGroupResponse& response) const { response = {.error_code = error()}; }
  void operator()(OffsetsCommitted& response) const {
    for (OffsetCommitted& partition : response.partitions) {
      if (partition.error == ErrorCode::kNone) partition.error = commit_error(append_error);
    }
  }
  void operator()(FetchedOffsets& response) const { response = {.error = error()}; }
  void operator()(ListedGroups& response) const { response = {.error = error()}; }
  void operator()(DescribedGroup& response) const {
    response = {.error = error(), .group_id = std::move(response.group_id)};
  }
  void operator()(GroupDeleted& response) const { response = {.error = error()}; }
  void operator()(OffsetsDeleted& response) const { response = {.error = error()}; }
  void operator()(wire::ConsumerGroupHeartbeatResponse& response) const {
    response = {.error_code = error()};
  }
  void operator()(DescribedConsumerGroup& response) const {
    std::string group_id = std::move(response.group.group_id);
    response.group = {.error_code = error(), .group_id = std::move(group_id)};
  }
  void operator()(TransactionEnded& response) const { response = {.error = append_error}; }
};

}  // namespace

ErrorCode coordinator_error(ErrorCode append_error) {
  switch (append_error) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
      return ErrorCode::kCoordinatorNotAvailable;
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kKafkaStorageError:
      return ErrorCode::kNotCoordinator;
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidFetchSize:
      return ErrorCode::kUnknownServerError;
    default:  // an open set: every other code is passed on as it is
      return append_error;
  }
}

void GroupCoordinator::answer(Token token, Response response, Turn& turn) {
  turn.out.reply.push_back({.token = token, .response = std::move(response)});
}

void GroupCoordinator::answer_after(AppendNumber number, Token token, Response response,
                                    Turn& turn) {
  if (number <= committed_ || MUTANT("group-answers-before-commit")) {
    return answer(token, std::move(response), turn);
  }
  Parked parked{.after = number, .reply = {.token = token, .response = std::move(response)}};
  // Mostly the newest append, so mostly the end.
  auto at = std::ranges::upper_bound(parked_, number, {}, &Parked::after);
  parked_.insert(at, std::move(parked));
}

void GroupCoordinator::answer_join(Group& group, Member& member, wire::JoinGroupResponse response,
                                   Turn& turn) {
  if (!member.awaiting_join) return;
  CHECK(group.awaiting_join_count > 0);
  --group.awaiting_join_count;
  answer(*std::exchange(member.awaiting_join, std::nullopt), std::move(response), turn);
}

bool GroupCoordinator::answer_sync(Member& member, wire::SyncGroupResponse response, Turn& turn) {
  if (!member.awaiting_sync) return false;
  answer(*std::exchange(member.awaiting_sync, std::nullopt), std::move(response), turn);
  return true;
}

void GroupCoordinator::refuse_join(Token token, std::string_view member_id, ErrorCode error,
                                   Turn& turn) {
  answer(token, wire::JoinGroupResponse{.error_code = error, .member_id = std::string(member_id)},
         turn);
}

void GroupCoordinator::refuse_sync(Token token, ErrorCode error, Turn& turn) {
  answer(token, wire::SyncGroupResponse{.error_code = error}, turn);
}

void GroupCoordinator::on_committed(AppendNumber number, base::Instant now, Output& out) {
  CHECK(number <= last_append_);
  if (number <= committed_) return;
  committed_ = number;
  Turn turn{.now = now, .out = out};
  while (!parked_.empty() && parked_.front().after <= number) {
    Reply reply = std::move(parked_.front().reply);
    parked_.pop_front();
    answer(reply.token, std::move(reply.response), turn);
  }
}

void GroupCoordinator::give_up_waiting(AppendNumber number, Output& out) {
  while (!parked_.empty() && parked_.front().after <= number) {
    Reply reply = std::move(parked_.front().reply);
    parked_.pop_front();
    std::visit(Spoil{ErrorCode::kRequestTimedOut}, reply.response);
    out.reply.push_back(std::move(reply));
  }
}

void GroupCoordinator::fail(ErrorCode error, Output& out) {
  Turn turn{.now = {}, .out = out};
  for (Parked& parked : std::exchange(parked_, {})) {
    std::visit(Spoil{error}, parked.reply.response);
    out.reply.push_back(std::move(parked.reply));
  }
  const ErrorCode told = coordinator_error(error);
  for (auto& [group_id, group] : groups_) {
    for (auto& [member_id, member] : group.members) {
      answer_join(group, member, {.error_code = told, .member_id = member_id}, turn);
      answer_sync(member, {.error_code = told}, turn);
    }
  }
}

}  // namespace broker::group
