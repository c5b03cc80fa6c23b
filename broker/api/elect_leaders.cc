// ElectLeaders, versions 0-2 (KIP-460): back to the preferred leaders, or to any replica at all.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/elect_leaders_request.h"
#include "common/wire/msg/elect_leaders_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::int8_t kUnclean = 1;

// Version 0 has no place for an error of the whole: each partition tells it.
void refuse_all(const wire::ElectLeadersRequest& request, const CallError& error,
                wire::ElectLeadersResponse& response) {
  response.error_code = error.code;
  if (!request.topic_partitions) return;
  for (const auto& topic : *request.topic_partitions) {
    auto& out = response.replica_election_results.emplace_back();
    out.topic = topic.topic;
    for (const std::int32_t partition : topic.partitions) {
      out.partition_result.push_back(
          {.partition_id = partition, .error_code = error.code, .error_message = error.message});
    }
  }
}

void take_results(const proto::ElectLeadersReply& reply, wire::ElectLeadersResponse& response) {
  for (const auto& topic : reply.topics()) {
    auto& out = response.replica_election_results.emplace_back();
    out.topic = topic.name();
    for (const auto& partition : topic.partitions()) {
      auto& result = out.partition_result.emplace_back();
      result.partition_id = partition.partition();
      set_error(partition.error(), result.error_code, result.error_message);
    }
  }
}

}  // namespace

void elect_leaders(Context& context, const wire::ElectLeadersRequest& request,
                   Reply<wire::ElectLeadersResponse> reply) {
  wire::ElectLeadersResponse response;
  if (request.election_type < 0 || request.election_type > kUnclean) {
    refuse_all(request, {ErrorCode::kInvalidRequest, "unknown type of election"}, response);
    return reply(response);
  }
  proto::ElectLeadersRequest call;
  call.set_election_type(request.election_type);
  call.set_all(!request.topic_partitions.has_value());
  if (request.topic_partitions) {
    for (const auto& topic : *request.topic_partitions) {
      auto* each = call.add_topics();
      each->set_name(topic.topic);
      for (const std::int32_t partition : topic.partitions) each->add_partitions(partition);
    }
  }
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->elect_leaders(
      call, timeout_of(request.timeout_ms), home,
      [&node, &home, request,
       reply = std::move(reply)](std::expected<proto::ElectLeadersReply, CallError> made) mutable {
        wire::ElectLeadersResponse out;
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          refuse_all(request, failed, out);
          return reply(out);
        }
        take_results(*made, out);
        node.hosting->when_applied(
            base::Offset(made->offset()), home,
            [out = std::move(out), reply = std::move(reply)]() mutable { reply(out); });
      });
}

}  // namespace broker::api
