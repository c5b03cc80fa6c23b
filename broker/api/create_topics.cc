// CreateTopics, versions 2-7. The controller decides; the answer waits until this broker serves the
// new partitions, so that the next request finds them.
#include <chrono>

#include "broker/api/config_entries.h"
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/controller_client.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

proto::CreateTopicsRequest to_proto(const wire::CreateTopicsRequest& request) {
  proto::CreateTopicsRequest out;
  out.set_validate_only(request.validate_only);
  for (const auto& topic : request.topics) {
    auto* each = out.add_topics();
    each->set_name(topic.name);
    each->set_partitions(topic.num_partitions);
    each->set_replication_factor(topic.replication_factor);
    for (const auto& assignment : topic.assignments) {
      auto* placed = each->add_assignments();
      placed->set_partition(assignment.partition_index);
      for (const std::int32_t id : assignment.broker_ids) placed->add_replicas(id);
    }
    for (const auto& config : topic.configs) {
      auto* set = each->add_configs();
      set->set_key(config.name);
      if (config.value) set->set_value(*config.value);
    }
  }
  return out;
}

void fill_configs(const Node& node, const meta::Configs& overrides,
                  wire::CreateTopicsResponse::CreatableTopicResult& out) {
  const auto image = node.image();
  out.configs.emplace();
  for (const auto& entry : config::describe_topic(overrides, broker_layers(node, *image))) {
    out.configs->push_back({.name = std::string(entry.name),
                            .value = entry.value,
                            .read_only = entry.is_read_only,
                            .config_source = static_cast<std::int8_t>(entry.source),
                            .is_sensitive = entry.is_sensitive});
  }
}

meta::Configs overrides_of(const wire::CreateTopicsRequest& request, const std::string& name) {
  meta::Configs overrides;
  for (const auto& topic : request.topics) {
    if (topic.name != name) continue;
    for (const auto& config : topic.configs) {
      if (config.value) overrides[config.name] = *config.value;
    }
  }
  return overrides;
}

wire::CreateTopicsResponse to_wire(const Node& node, const wire::CreateTopicsRequest& request,
                                   const proto::CreateTopicsReply& made) {
  wire::CreateTopicsResponse response;
  for (const auto& topic : made.topics()) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name();
    set_error(topic.error(), out.error_code, out.error_message);
    if (out.error_code != ErrorCode::kNone) continue;
    if (topic.has_topic_id()) out.topic_id = from_proto(topic.topic_id());
    out.num_partitions = topic.partitions();
    out.replication_factor = static_cast<std::int16_t>(topic.replication_factor());
    fill_configs(node, overrides_of(request, topic.name()), out);
  }
  return response;
}

}  // namespace

void create_topics(Context& context, const wire::CreateTopicsRequest& request,
                   Reply<wire::CreateTopicsResponse> reply) {
  Node& node = context.node;
  io::Executor& home = context.reactor.executor;
  node.controller->create_topics(
      to_proto(request), timeout_of(request.timeout_ms), home,
      [&node, &home, request,
       reply = std::move(reply)](std::expected<proto::CreateTopicsReply, CallError> made) mutable {
        const CallError failed = whole_error(made);
        if (failed.code != ErrorCode::kNone) {
          wire::CreateTopicsResponse response;
          for (const auto& topic : request.topics) {
            auto& out = response.topics.emplace_back();
            out.name = topic.name;
            out.error_code = failed.code;
            out.error_message = failed.message;
          }
          return reply(response);
        }
        const base::Offset offset(made->offset());
        node.hosting->when_applied(
            offset, home,
            [&node, request = std::move(request), made = std::move(*made),
             reply = std::move(reply)]() mutable { reply(to_wire(node, request, made)); });
      });
}

}  // namespace broker::api
