// AlterPartitionReassignments, versions 0-1 (KIP-455, KIP-860), and ListPartitionReassignments.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/alter_partition_reassignments_request.h"
#include "common/wire/msg/alter_partition_reassignments_response.h"
#include "common/wire/msg/list_partition_reassignments_request.h"
#include "common/wire/msg/list_partition_reassignments_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

proto::AlterPartitionReassignmentsRequest to_call(
    const wire::AlterPartitionReassignmentsRequest& request) {
  proto::AlterPartitionReassignmentsRequest call;
  call.set_refuse_replication_factor_change(!request.allow_replication_factor_change);
  for (const auto& topic : request.topics) {
    auto* to = call.add_topics();
    to->set_name(topic.name);
    for (const auto& partition : topic.partitions) {
      auto* each = to->add_partitions();
      each->set_partition(partition.partition_index);
      if (!partition.replicas) continue;  // cancel
      auto* replicas = each->mutable_replicas();
      for (const std::int32_t id : *partition.replicas) replicas->add_ids(id);
    }
  }
  return call;
}

}  // namespace

void alter_partition_reassignments(Context& context,
                                   const wire::AlterPartitionReassignmentsRequest& request,
                                   Reply<wire::AlterPartitionReassignmentsResponse> reply) {
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->alter_partition_reassignments(
      to_call(request), timeout_of(request.timeout_ms), home,
      [&node, &home, allow = request.allow_replication_factor_change, reply = std::move(reply)](
          std::expected<proto::AlterPartitionReassignmentsReply, CallError> made) mutable {
        wire::AlterPartitionReassignmentsResponse response;
        response.allow_replication_factor_change = allow;
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          response.error_code = failed.code;
          response.error_message = failed.message;
          return reply(response);
        }
        for (const auto& topic : made->topics()) {
          auto& out = response.responses.emplace_back();
          out.name = topic.name();
          for (const auto& partition : topic.partitions()) {
            auto& each = out.partitions.emplace_back();
            each.partition_index = partition.partition();
            set_error(partition.error(), each.error_code, each.error_message);
          }
        }
        node.hosting->when_applied(base::Offset(made->offset()), home,
                                   [response = std::move(response),
                                    reply = std::move(reply)]() mutable { reply(response); });
      });
}

void list_partition_reassignments(Context& context,
                                  const wire::ListPartitionReassignmentsRequest& request,
                                  Reply<wire::ListPartitionReassignmentsResponse> reply) {
  proto::ListPartitionReassignmentsRequest call;
  call.set_all(!request.topics.has_value());
  if (request.topics) {
    for (const auto& topic : *request.topics) {
      auto* each = call.add_topics();
      each->set_name(topic.name);
      for (const std::int32_t partition : topic.partition_indexes) each->add_partitions(partition);
    }
  }
  context.node.controller->list_partition_reassignments(
      call, timeout_of(request.timeout_ms), context.reactor.executor,
      [reply = std::move(reply)](
          std::expected<proto::ListPartitionReassignmentsReply, CallError> found) mutable {
        wire::ListPartitionReassignmentsResponse response;
        const CallError failed = whole_error(found);
        if (failed.code != ErrorCode::kNone) {
          response.error_code = failed.code;
          response.error_message = failed.message;
          return reply(response);
        }
        for (const auto& topic : found->topics()) {
          auto& out = response.topics.emplace_back();
          out.name = topic.name();
          for (const auto& partition : topic.partitions()) {
            out.partitions.push_back(
                {.partition_index = partition.partition(),
                 .replicas = {partition.replicas().begin(), partition.replicas().end()},
                 .adding_replicas = {partition.adding().begin(), partition.adding().end()},
                 .removing_replicas = {partition.removing().begin(), partition.removing().end()}});
          }
        }
        reply(response);
      });
}

}  // namespace broker::api
