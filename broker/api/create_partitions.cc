// CreatePartitions, versions 0-3: more partitions for a topic that is there.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/create_partitions_request.h"
#include "common/wire/msg/create_partitions_response.h"

namespace broker::api {

using wire::ErrorCode;

void create_partitions(Context& context, const wire::CreatePartitionsRequest& request,
                       Reply<wire::CreatePartitionsResponse> reply) {
  proto::CreatePartitionsRequest call;
  call.set_validate_only(request.validate_only);
  for (const auto& topic : request.topics) {
    auto* each = call.add_topics();
    each->set_name(topic.name);
    each->set_count(topic.count);
    each->set_has_assignments(topic.assignments.has_value());
    if (!topic.assignments) continue;
    for (const auto& assignment : *topic.assignments) {
      auto* brokers = each->add_assignments();
      for (const std::int32_t id : assignment.broker_ids) brokers->add_ids(id);
    }
  }
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->create_partitions(
      call, timeout_of(request.timeout_ms), home,
      [&node, &home, request, reply = std::move(reply)](
          std::expected<proto::CreatePartitionsReply, CallError> made) mutable {
        wire::CreatePartitionsResponse response;
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          for (const auto& topic : request.topics) {
            response.results.push_back(
                {.name = topic.name, .error_code = failed.code, .error_message = failed.message});
          }
          return reply(response);
        }
        for (const auto& topic : made->topics()) {
          auto& out = response.results.emplace_back();
          out.name = topic.name();
          set_error(topic.error(), out.error_code, out.error_message);
        }
        node.hosting->when_applied(base::Offset(made->offset()), home,
                                   [response = std::move(response),
                                    reply = std::move(reply)]() mutable { reply(response); });
      });
}

}  // namespace broker::api
