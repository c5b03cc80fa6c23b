#include "tests/sim/groups/consumer.h"

#include <algorithm>
#include <utility>

namespace sim {
namespace {

using broker::group::CommitOffsets;
using broker::group::FetchedOffsets;
using broker::group::FetchOffsets;
using broker::group::OffsetsCommitted;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr const char* kTopic = "topic";

base::Bytes encode(const std::vector<std::int32_t>& partitions) {
  base::Bytes out;
  for (const std::int32_t partition : partitions) out.push_back(static_cast<std::byte>(partition));
  return out;
}

std::vector<std::int32_t> decode(const base::Bytes& bytes) {
  std::vector<std::int32_t> out;
  for (const std::byte byte : bytes) out.push_back(std::to_integer<std::int32_t>(byte));
  return out;
}

// The assignor: round robin over the members in the order that the leader was told.
std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> share_out(
    const wire::JoinGroupResponse& joined, std::int32_t partition_count) {
  std::vector<std::vector<std::int32_t>> shares(joined.members.size());
  for (std::int32_t partition = 0; partition < partition_count; ++partition) {
    shares[static_cast<std::size_t>(partition) % shares.size()].push_back(partition);
  }
  std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> out;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    out.push_back({.member_id = joined.members[i].member_id, .assignment = encode(shares[i])});
  }
  return out;
}

}  // namespace

GroupConsumer::GroupConsumer(World& world, ShardServer& server, Ownership& ownership,
                             Options options)
    : world_(world),
      server_(server),
      ownership_(ownership),
      options_(std::move(options)),
      random_(world.random("consumer " + std::to_string(options_.index))) {}

void GroupConsumer::start() {
  later(milliseconds(random_.between(0, 5'000)), &GroupConsumer::join);
}

// ---- one request at a time

void GroupConsumer::send(std::int16_t version, GroupRequest request, base::Duration patience,
                         Next next) {
  const std::uint64_t number = ++request_;
  const std::uint64_t connection = connection_;
  auto shared_next = std::make_shared<Next>(std::move(next));
  auto travel = [this] {
    const bool slow = faulty_ && random_.chance(1, 30);
    return milliseconds(slow ? random_.between(100, 8'000) : random_.between(0, 10));
  };
  world_.after(travel(), [this, connection, number, version, request = std::move(request), travel,
                          shared_next] {
    if (connection != connection_) return;
    server_.ask(version, "c" + std::to_string(options_.index), request,
                [this, connection, number, travel, shared_next](GroupAnswer answer) {
                  if (faulty_ && random_.chance(1, 100)) return;  // lost with the connection
                  world_.after(travel(), [this, connection, number, shared_next,
                                          answer = std::move(answer)]() mutable {
                    if (connection != connection_ || number != request_) return;
                    ++request_;
                    (*shared_next)(std::move(answer));
                  });
                });
  });
  world_.after(patience, [this, connection, number] {
    if (connection != connection_ || number != request_) return;
    hang_up();
    later(milliseconds(100), &GroupConsumer::join);
  });
}

void GroupConsumer::hang_up() {
  ++connection_;
  ++request_;
}

void GroupConsumer::later(base::Duration pause, void (GroupConsumer::*what)()) {
  world_.after(pause, [this, plan = ++plan_, what] {
    if (plan == plan_) (this->*what)();
  });
}

// ---- the membership

void GroupConsumer::join() {
  phase_ = Phase::kJoining;
  owned_.clear();
  const auto metadata = base::as_bytes(subscription_);
  wire::JoinGroupRequest request{.group_id = options_.group,
                                 .session_timeout_ms = 6'000,
                                 .rebalance_timeout_ms = 12'000,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance,
                                 .protocol_type = "consumer"};
  request.protocols.push_back({.name = "range", .metadata = {metadata.begin(), metadata.end()}});
  send(options_.join_version, request, seconds(20), [this](GroupAnswer answer) {
    if (!answer) return retry(answer.error());
    on_joined(std::get<wire::JoinGroupResponse>(*answer));
  });
}

void GroupConsumer::on_joined(const wire::JoinGroupResponse& response) {
  if (response.error_code == ErrorCode::kMemberIdRequired) {
    member_id_ = response.member_id;
    return join();
  }
  if (response.error_code != ErrorCode::kNone) return retry(response.error_code);
  member_id_ = response.member_id;
  generation_ = response.generation_id;
  sync(response);
}

void GroupConsumer::sync(const wire::JoinGroupResponse& joined) {
  wire::SyncGroupRequest request{.group_id = options_.group,
                                 .generation_id = generation_,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance,
                                 .protocol_type = "consumer",
                                 .protocol_name = "range"};
  const bool leads = joined.leader == member_id_ && !joined.skip_assignment;
  if (leads) request.assignments = share_out(joined, options_.partition_count);
  send(5, request, seconds(20), [this](GroupAnswer answer) {
    if (!answer) return retry(answer.error());
    on_synced(std::get<wire::SyncGroupResponse>(*answer));
  });
}

void GroupConsumer::on_synced(const wire::SyncGroupResponse& response) {
  if (response.error_code != ErrorCode::kNone) return retry(response.error_code);
  owned_ = decode(response.assignment);
  world_.trace("assigned " + options_.group, static_cast<std::uint64_t>(generation_),
               options_.index);
  ownership_.assigned(options_.group, generation_, options_.index, owned_);
  phase_ = Phase::kStable;
  fetch();
}

void GroupConsumer::fetch() {
  FetchOffsets request{.group_id = options_.group};
  std::vector<std::int64_t> floors;
  for (const std::int32_t partition : owned_) {
    request.partitions.push_back({.at = {kTopic, partition}});
    floors.push_back(ownership_.acknowledged(options_.group, partition));
  }
  send(8, request, seconds(10), [this, floors](GroupAnswer answer) {
    if (!answer) return retry(answer.error());
    const auto& fetched = std::get<FetchedOffsets>(*answer);
    if (fetched.error != ErrorCode::kNone) return retry(fetched.error);
    positions_.clear();
    for (std::size_t i = 0; i < fetched.partitions.size(); ++i) {
      const auto& offset = fetched.partitions[i];
      ownership_.fetched(options_.group, offset.at.partition, offset.offset, floors[i]);
      positions_[offset.at.partition] = std::max<std::int64_t>(offset.offset, 0);
    }
    later(milliseconds(random_.between(100, 2'000)), &GroupConsumer::tick);
  });
}

void GroupConsumer::tick() {
  if (faulty_ && random_.chance(1, 12)) return misbehave();
  if (!owned_.empty() && random_.chance(1, 2)) return commit();
  heartbeat();
}

void GroupConsumer::heartbeat() {
  wire::HeartbeatRequest request{.group_id = options_.group,
                                 .generation_id = generation_,
                                 .member_id = member_id_,
                                 .group_instance_id = options_.instance};
  send(4, request, seconds(10), [this](GroupAnswer answer) {
    const ErrorCode error =
        answer ? std::get<wire::HeartbeatResponse>(*answer).error_code : answer.error();
    if (error != ErrorCode::kNone) return retry(error);
    later(milliseconds(random_.between(500, 2'000)), &GroupConsumer::tick);
  });
}

void GroupConsumer::commit() {
  CommitOffsets request{.group_id = options_.group,
                        .generation = generation_,
                        .member_id = member_id_,
                        .instance_id = options_.instance};
  for (auto& [partition, position] : positions_) {
    position += random_.between(1, 100);
    request.partitions.push_back({.at = {kTopic, partition}, .offset = position});
  }
  send(8, request, seconds(10), [this, positions = positions_](GroupAnswer answer) {
    const ErrorCode error =
        answer ? std::get<OffsetsCommitted>(*answer).partitions.at(0).error : answer.error();
    if (error != ErrorCode::kNone) return retry(error);
    for (const auto& [partition, position] : positions) {
      ownership_.committed(options_.group, partition, position);
    }
    later(milliseconds(random_.between(100, 1'000)), &GroupConsumer::tick);
  });
}

// What clients do with errors: begin anew, or come back with the same id.
void GroupConsumer::retry(ErrorCode error) {
  world_.trace("error " + std::string(name(error)), options_.index);
  if (error == ErrorCode::kFencedInstanceId) {
    // Another instance of ours took over: in this world, our own former or later self.
    member_id_.clear();
    return later(seconds(1), &GroupConsumer::join);
  }
  if (error == ErrorCode::kUnknownMemberId) member_id_.clear();
  phase_ = Phase::kJoining;
  owned_.clear();
  later(milliseconds(random_.between(20, 200)), &GroupConsumer::join);
}

// ---- misbehaviour

void GroupConsumer::misbehave() {
  switch (random_.below(4)) {
    case 0:
      return leave();
    case 1:
    case 2:
      return die();
    default:
      subscription_ = "v" + std::to_string(random_.below(1'000));
      return join();
  }
}

void GroupConsumer::leave() {
  wire::LeaveGroupRequest request{.group_id = options_.group};
  request.members.push_back({.member_id = member_id_, .group_instance_id = options_.instance});
  phase_ = Phase::kDown;
  owned_.clear();
  send(5, request, seconds(10), [this](GroupAnswer) {
    member_id_.clear();
    later(milliseconds(random_.between(0, 20'000)), &GroupConsumer::join);
  });
}

// The process ends without a word and another one starts.
void GroupConsumer::die() {
  world_.trace("dies", options_.index);
  hang_up();
  phase_ = Phase::kDown;
  owned_.clear();
  member_id_.clear();
  later(milliseconds(random_.between(0, 20'000)), &GroupConsumer::join);
}

void GroupConsumer::retire() {
  hang_up();
  ++plan_;
  phase_ = Phase::kDown;
  owned_.clear();
  retired_ = true;
}

}  // namespace sim
