// DescribeQuorum, versions 0-2 (KIP-595, KIP-836, KIP-853); AddRaftVoter, 0-1, and RemoveRaftVoter.
// The quorum is that of our controllers. Its log has no topic, but this is how Kafka's tools name
// it.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/add_raft_voter_request.h"
#include "common/wire/msg/add_raft_voter_response.h"
#include "common/wire/msg/describe_quorum_request.h"
#include "common/wire/msg/describe_quorum_response.h"
#include "common/wire/msg/remove_raft_voter_request.h"
#include "common/wire/msg/remove_raft_voter_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::string_view kListener = "CONTROLLER";
constexpr base::Duration kDescribeTimeout = std::chrono::seconds(10);

bool is_metadata_log(const wire::DescribeQuorumRequest& request) {
  return request.topics.size() == 1 && request.topics.front().topic_name == kMetadataTopic &&
         request.topics.front().partitions.size() == 1 &&
         request.topics.front().partitions.front().partition_index == 0;
}

void refuse_topics(const wire::DescribeQuorumRequest& request,
                   wire::DescribeQuorumResponse& response) {
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      auto& each = out.partitions.emplace_back();
      each.partition_index = partition.partition_index;
      each.error_code = ErrorCode::kUnknownTopicOrPartition;
      each.error_message = "only the cluster's metadata is kept by a quorum";
    }
  }
}

using Members = google::protobuf::RepeatedPtrField<proto::DescribeQuorumReply::Member>;
using States = std::vector<wire::DescribeQuorumResponse::ReplicaState>;

void add_states(const Members& members, base::WallMs now, States& out) {
  const auto time_of = [&](std::int64_t ago_ms) { return ago_ms < 0 ? -1 : now - ago_ms; };
  for (const auto& member : members) {
    auto& state = out.emplace_back();
    state.replica_id = member.id();
    state.log_end_offset = member.log_end_offset();
    state.last_fetch_timestamp = time_of(member.last_contact_ms());
    state.last_caught_up_timestamp = time_of(member.last_caught_up_ms());
  }
}

void describe(const proto::DescribeQuorumReply& quorum, base::WallMs now,
              wire::DescribeQuorumResponse& response) {
  auto& topic = response.topics.emplace_back();
  topic.topic_name = kMetadataTopic;
  auto& log = topic.partitions.emplace_back();
  log.leader_id = quorum.leader_id();
  log.leader_epoch = static_cast<std::int32_t>(quorum.term());
  log.high_watermark = quorum.high_watermark();
  add_states(quorum.voters(), now, log.current_voters);
  add_states(quorum.observers(), now, log.observers);
  for (const auto& voter : quorum.voters()) {
    auto& node = response.nodes.emplace_back();
    node.node_id = voter.id();
    if (voter.host().empty()) continue;
    node.listeners.push_back({.name = std::string(kListener),
                              .host = voter.host(),
                              .port = static_cast<std::uint16_t>(voter.port())});
  }
}

// What makes a request one for another cluster.
bool is_foreign(const Context& context, const std::optional<std::string>& cluster_id) {
  return cluster_id && *cluster_id != context.node.cluster_id;
}

// Both changes of the voters are answered alike.
template <class ProtoReply, class Response>
auto answer_change(Context& context, Reply<Response> reply) {
  return [&node = context.node, &home = context.reactor.executor,
          reply = std::move(reply)](std::expected<ProtoReply, CallError> made) mutable {
    Response response;
    const CallError failed = whole_error(made);
    if (failed.code != ErrorCode::kNone) {
      response.error_code = failed.code;
      response.error_message = failed.message;
      return reply(response);
    }
    node.hosting->when_applied(
        base::Offset(made->offset()), home,
        [response = std::move(response), reply = std::move(reply)]() mutable { reply(response); });
  };
}

template <class Response>
void refuse(Reply<Response> reply, ErrorCode code, std::string message) {
  Response response;
  response.error_code = code;
  response.error_message = std::move(message);
  reply(response);
}

}  // namespace

void describe_quorum(Context& context, const wire::DescribeQuorumRequest& request,
                     Reply<wire::DescribeQuorumResponse> reply) {
  if (!is_metadata_log(request)) {
    wire::DescribeQuorumResponse response;
    refuse_topics(request, response);
    return reply(response);
  }
  context.node.controller->describe_quorum(
      {}, kDescribeTimeout, context.reactor.executor,
      [&clock = context.node.clock, reply = std::move(reply)](
          std::expected<proto::DescribeQuorumReply, CallError> found) mutable {
        wire::DescribeQuorumResponse response;
        const CallError failed = whole_error(found);
        if (failed.code != ErrorCode::kNone) {
          response.error_code = failed.code;
          response.error_message = failed.message;
          return reply(response);
        }
        describe(*found, clock.wall_ms(), response);
        reply(response);
      });
}

void add_raft_voter(Context& context, const wire::AddRaftVoterRequest& request,
                    Reply<wire::AddRaftVoterResponse> reply) {
  if (is_foreign(context, request.cluster_id)) {
    return refuse(std::move(reply), ErrorCode::kInconsistentClusterId,
                  "this is cluster " + context.node.cluster_id);
  }
  if (request.listeners.empty()) {
    return refuse(std::move(reply), ErrorCode::kInvalidRequest, "the voter has no listener");
  }
  proto::AddVoterRequest call;
  call.set_id(request.voter_id);
  call.set_host(request.listeners.front().host);
  call.set_port(request.listeners.front().port);
  context.node.controller->add_voter(
      call, timeout_of(request.timeout_ms), context.reactor.executor,
      answer_change<proto::AddVoterReply>(context, std::move(reply)));
}

void remove_raft_voter(Context& context, const wire::RemoveRaftVoterRequest& request,
                       Reply<wire::RemoveRaftVoterResponse> reply) {
  constexpr std::int32_t kTimeoutMs = 30'000;
  if (is_foreign(context, request.cluster_id)) {
    return refuse(std::move(reply), ErrorCode::kInconsistentClusterId,
                  "this is cluster " + context.node.cluster_id);
  }
  proto::RemoveVoterRequest call;
  call.set_id(request.voter_id);
  context.node.controller->remove_voter(
      call, timeout_of(kTimeoutMs), context.reactor.executor,
      answer_change<proto::RemoveVoterReply>(context, std::move(reply)));
}

}  // namespace broker::api
