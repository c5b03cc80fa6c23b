// DeleteTopics, versions 1-6, by name or (v6) by id.
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/delete_topics_request.h"
#include "common/wire/msg/delete_topics_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// The topics asked for, in the form of version 6.
std::vector<wire::DeleteTopicsRequest::DeleteTopicState> asked(
    const wire::DeleteTopicsRequest& request, std::int16_t version) {
  if (version >= 6) return request.topics;
  std::vector<wire::DeleteTopicsRequest::DeleteTopicState> topics;
  for (const auto& name : request.topic_names) topics.push_back({.name = name});
  return topics;
}

wire::DeleteTopicsResponse refused(
    const std::vector<wire::DeleteTopicsRequest::DeleteTopicState>& topics, ErrorCode code,
    const std::string& message) {
  wire::DeleteTopicsResponse response;
  for (const auto& topic : topics) {
    response.responses.push_back({.name = topic.name,
                                  .topic_id = topic.topic_id,
                                  .error_code = code,
                                  .error_message = message});
  }
  return response;
}

}  // namespace

void delete_topics(Context& context, const wire::DeleteTopicsRequest& request,
                   Reply<wire::DeleteTopicsResponse> reply) {
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  auto topics = asked(request, context.version);
  if (!node.config.delete_topic_enable) {
    return reply(refused(topics, ErrorCode::kTopicDeletionDisabled,
                         "delete.topic.enable is false on this broker"));
  }
  proto::DeleteTopicsRequest call;
  for (const auto& topic : topics) {
    if (topic.name) {
      call.add_topics()->set_name(*topic.name);
    } else {
      to_proto(topic.topic_id, call.add_topics()->mutable_topic_id());
    }
  }
  node.controller->delete_topics(
      call, timeout_of(request.timeout_ms), home,
      [&node, &home, topics = std::move(topics),
       reply = std::move(reply)](std::expected<proto::DeleteTopicsReply, CallError> made) mutable {
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          return reply(refused(topics, failed.code, failed.message));
        }
        wire::DeleteTopicsResponse response;
        for (const auto& topic : made->topics()) {
          auto& out = response.responses.emplace_back();
          if (topic.has_name()) out.name = topic.name();
          out.topic_id = from_proto(topic.topic_id());
          set_error(topic.error(), out.error_code, out.error_message);
        }
        node.hosting->when_applied(base::Offset(made->offset()), home,
                                   [response = std::move(response),
                                    reply = std::move(reply)]() mutable { reply(response); });
      });
}

}  // namespace broker::api
