#include "cli/client/group_member.h"

#include <fmt/format.h>

#include "cli/client/group_offsets.h"
#include "common/wire/msg/consumer_protocol_assignment.h"
#include "common/wire/msg/consumer_protocol_subscription.h"
#include "common/wire/msg/heartbeat_request.h"
#include "common/wire/msg/heartbeat_response.h"
#include "common/wire/msg/join_group_request.h"
#include "common/wire/msg/leave_group_request.h"
#include "common/wire/msg/leave_group_response.h"
#include "common/wire/msg/sync_group_request.h"
#include "common/wire/msg/sync_group_response.h"

namespace cli {
namespace {

using std::chrono::milliseconds;
using wire::ErrorCode;

constexpr milliseconds kSessionTimeout{45'000};
constexpr milliseconds kRebalanceTimeout{60'000};
constexpr milliseconds kBeatInterval{3'000};
constexpr const char* kProtocolType = "consumer";
constexpr const char* kProtocol = "range";
// A join waits for the slowest member; nothing else may stand behind it on the connection.
constexpr int kGroupLane = 2;

// The consumer protocol's messages open with their version.
template <class Data>
base::Bytes encode_versioned(const Data& data, std::int16_t version) {
  wire::Writer out;
  out.write_number(version);
  data.encode(out, version);
  return out.take();
}

// Nothing when malformed. A newer version only adds fields behind those that we know.
template <class Data>
std::optional<Data> decode_versioned(const base::Bytes& bytes) {
  Data data;
  wire::Reader in(bytes);
  auto version = in.read_number<std::int16_t>("version");
  if (!in.ok() || version < 0) return std::nullopt;
  if (!data.decode(in, std::min(version, Data::kVersionMax))) return std::nullopt;
  return data;
}

}  // namespace

Assignment GroupMember::join() {
  Assignment assignment;
  // Another member's rebalance may take its whole time, and ours its own after that.
  Deadline until = Deadline::in(kRebalanceTimeout * 2 + milliseconds(cluster_.timeout_ms()));
  cluster_.retry(until, [&](Deadline) { return try_join(assignment, until); });
  next_beat_ = Deadline::in(kBeatInterval);
  session_ = Deadline::in(kSessionTimeout);
  return assignment;
}

Trouble GroupMember::group_trouble(ErrorCode code) {
  Trouble trouble = refusal("group " + group_, code);
  if (lost_place(code) || code == ErrorCode::kMemberIdRequired) trouble.retriable = true;
  if (code == ErrorCode::kInconsistentGroupProtocol) {
    trouble.hint = "its other members use another assignor than \"range\"";
  }
  cluster_.forget_after(Target::coordinator(group_), trouble);
  return trouble;
}

bool GroupMember::lost_place(ErrorCode code) {
  if (code == ErrorCode::kUnknownMemberId) {
    member_id_.clear();
    generation_ = -1;
  }
  return code == ErrorCode::kUnknownMemberId || code == ErrorCode::kIllegalGeneration ||
         code == ErrorCode::kRebalanceInProgress;
}

Try<bool> GroupMember::try_join(Assignment& assignment, Deadline until) {
  auto connection = cluster_.connect(Target::coordinator(group_), until, kGroupLane);
  if (!connection) return std::unexpected(connection.error());
  wire::ConsumerProtocolSubscription subscription;
  subscription.topics = topics_;
  wire::JoinGroupRequest request;
  request.group_id = group_;
  request.session_timeout_ms = static_cast<std::int32_t>(kSessionTimeout.count());
  request.rebalance_timeout_ms = static_cast<std::int32_t>(kRebalanceTimeout.count());
  request.member_id = member_id_;
  request.protocol_type = kProtocolType;
  request.protocols.push_back({.name = kProtocol, .metadata = encode_versioned(subscription, 1)});
  auto reply = Cluster::exchange<wire::JoinGroupResponse>(**connection, request, until);
  if (!reply) return std::unexpected(reply.error());
  wire::JoinGroupResponse& joined = reply->body;
  if (joined.error_code == ErrorCode::kMemberIdRequired) {
    // The broker wants the id that it just gave to come back, so that lost answers leave no ghosts.
    member_id_ = joined.member_id;
    return try_join(assignment, until);
  }
  if (joined.error_code != ErrorCode::kNone) {
    return std::unexpected(group_trouble(joined.error_code));
  }
  member_id_ = joined.member_id;
  generation_ = joined.generation_id;
  return try_sync(joined, assignment, until);
}

Try<std::map<std::string, Assignment>> GroupMember::plan(const wire::JoinGroupResponse& joined,
                                                         Deadline until) {
  std::vector<Subscriber> members;
  std::map<std::string, std::int32_t> partition_counts;
  for (const auto& member : joined.members) {
    auto subscription = decode_versioned<wire::ConsumerProtocolSubscription>(member.metadata);
    if (!subscription) {
      return std::unexpected(
          Trouble{fmt::format("group {}: member {} sent a subscription that cannot be read", group_,
                              member.member_id),
                  {},
                  false});
    }
    for (const std::string& topic : subscription->topics) partition_counts[topic] = 0;
    members.push_back({member.member_id, member.group_instance_id, subscription->topics});
  }
  for (auto& [topic, count] : partition_counts) {
    auto found = cluster_.try_topic(topic, false, until);
    if (found) {
      count = static_cast<std::int32_t>(found->partitions.size());
    } else if (found.error().code != ErrorCode::kUnknownTopicOrPartition) {
      return std::unexpected(found.error());
    }
  }
  return assign_ranges(members, partition_counts);
}

Try<bool> GroupMember::try_sync(const wire::JoinGroupResponse& joined, Assignment& assignment,
                                Deadline until) {
  wire::SyncGroupRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.protocol_type = kProtocolType;
  request.protocol_name = kProtocol;
  if (joined.leader == member_id_ && !joined.skip_assignment) {
    auto planned = plan(joined, until);
    if (!planned) return std::unexpected(planned.error());
    for (const auto& [member_id, topics] : *planned) {
      wire::ConsumerProtocolAssignment data;
      for (const auto& [topic, partitions] : topics) {
        data.assigned_partitions.push_back({.topic = topic, .partitions = partitions});
      }
      request.assignments.push_back(
          {.member_id = member_id, .assignment = encode_versioned(data, 1)});
    }
  }
  auto connection = cluster_.connect(Target::coordinator(group_), until, kGroupLane);
  if (!connection) return std::unexpected(connection.error());
  auto reply = Cluster::exchange<wire::SyncGroupResponse>(**connection, request, until);
  if (!reply) return std::unexpected(reply.error());
  if (reply->body.error_code != ErrorCode::kNone) {
    return std::unexpected(group_trouble(reply->body.error_code));
  }
  assignment.clear();
  if (reply->body.assignment.empty()) return true;
  auto data = decode_versioned<wire::ConsumerProtocolAssignment>(reply->body.assignment);
  if (!data) {
    return std::unexpected(
        Trouble{fmt::format("group {}: its leader sent an assignment that cannot be read", group_),
                {},
                false});
  }
  for (const auto& topic : data->assigned_partitions) assignment[topic.topic] = topic.partitions;
  return true;
}

bool GroupMember::beat() {
  if (!next_beat_.passed()) return true;
  next_beat_ = Deadline::in(kBeatInterval);
  Deadline until = Deadline::in(kBeatInterval);
  auto connection = cluster_.connect(Target::coordinator(group_), until, kGroupLane);
  // A broker that cannot be reached for a moment costs nothing; the session's end does.
  if (!connection) return !session_.passed();
  wire::HeartbeatRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_id_;
  auto reply = Cluster::exchange<wire::HeartbeatResponse>(**connection, request, until);
  if (!reply) return !session_.passed();
  ErrorCode code = reply->body.error_code;
  if (code == ErrorCode::kNone) {
    session_ = Deadline::in(kSessionTimeout);
    return true;
  }
  if (lost_place(code)) return false;
  Trouble trouble = group_trouble(code);
  if (!trouble.retriable) throw Failure(trouble.what, trouble.hint);
  return !session_.passed();
}

bool GroupMember::commit(const std::map<TopicPartition, std::int64_t>& offsets) {
  Deadline until = cluster_.deadline();
  bool kept = true;
  cluster_.retry(until, [&](Deadline) -> Try<bool> {
    auto trouble = commit_offsets(
        cluster_, {.group = group_, .generation = generation_, .member_id = member_id_}, offsets,
        until);
    if (!trouble) return true;
    if (!lost_place(trouble->code)) return std::unexpected(std::move(*trouble));
    kept = false;
    return true;
  });
  return kept;
}

void GroupMember::leave() {
  if (member_id_.empty()) return;
  Deadline until = Deadline::in(milliseconds(2000));
  auto connection = cluster_.connect(Target::coordinator(group_), until, kGroupLane);
  if (!connection) return;
  wire::LeaveGroupRequest request;
  request.group_id = group_;
  request.member_id = member_id_;
  request.members.push_back({.member_id = member_id_, .group_instance_id = {}, .reason = {}});
  (void)Cluster::exchange<wire::LeaveGroupResponse>(**connection, request, until);
  member_id_.clear();
}

}  // namespace cli
