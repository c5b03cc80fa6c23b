// AlterConfigs, versions 0-2 (the whole set of overrides is replaced), and IncrementalAlterConfigs,
// versions 0-1 (one by one): the same flow with two kinds of requests.
#include "broker/api/config_bounds.h"
#include "broker/api/config_entries.h"
#include "broker/api/handlers.h"
#include "broker/api/proto_values.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/alter_configs_request.h"
#include "common/wire/msg/alter_configs_response.h"
#include "common/wire/msg/incremental_alter_configs_request.h"
#include "common/wire/msg/incremental_alter_configs_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

constexpr std::chrono::seconds kTimeout{30};

// A broker's own configs are changed through that broker (as Kafka has it), the rest anywhere.
std::optional<std::string> refusal(const Node& node, std::int8_t type, const std::string& name) {
  if (type == kTopicResource || type == kGroupResource) return std::nullopt;
  if (type != kBrokerResource) {
    return "config resources of type " + std::to_string(type) + " cannot be altered";
  }
  if (name.empty() || name == std::to_string(node.broker_id.value())) return std::nullopt;
  return "this is broker " + std::to_string(node.broker_id.value()) + ", not " + name;
}

// What went to the controller, and where its answers belong.
template <class Response>
struct Pending {
  Response response;
  std::vector<std::size_t> asked;  // positions of the controller's answers
};

// Of brokers, all of them or one, and of groups.
const meta::Configs& current(const meta::Image& image, const Node& node, std::int8_t type,
                             const std::string& name) {
  if (type == kGroupResource) return image.group_configs(name);
  return name.empty() ? image.cluster_configs() : image.broker_configs(node.broker_id);
}

// What the request would have them be, as far as that can be judged here.
meta::Configs after(const wire::AlterConfigsRequest::AlterConfigsResource& resource,
                    const meta::Configs&) {
  meta::Configs configs;
  for (const auto& config : resource.configs) configs[config.name] = config.value.value_or("");
  return configs;
}

meta::Configs after(const wire::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
                    const meta::Configs& before) {
  meta::Configs configs = before;
  for (const auto& config : resource.configs) {
    if (config.config_operation == proto::CONFIG_OP_SET) {
      configs[config.name] = config.value.value_or("");
    } else if (config.config_operation == proto::CONFIG_OP_DELETE) {
      configs.erase(config.name);
    }
  }
  return configs;
}

template <class Response, class Request, class AddToCall>
Pending<Response> sort_out(const Node& node, const Request& request, AddToCall add) {
  Pending<Response> pending;
  const auto image = node.image();
  for (const auto& resource : request.resources) {
    auto& out = pending.response.responses.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = resource.resource_name;
    if (auto why = refusal(node, resource.resource_type, resource.resource_name)) {
      out.error_code = ErrorCode::kInvalidRequest;
      out.error_message = std::move(why);
      continue;
    }
    if (resource.resource_type != kTopicResource) {
      const auto& name = resource.resource_name;
      const auto configs = after(resource, current(*image, node, resource.resource_type, name));
      if (auto why = out_of_bounds(node, *image, resource.resource_type, name, configs)) {
        const bool is_group = resource.resource_type == kGroupResource;
        out.error_code = is_group ? ErrorCode::kInvalidConfig : ErrorCode::kInvalidRequest;
        out.error_message = std::move(why);
        continue;
      }
    }
    pending.asked.push_back(pending.response.responses.size() - 1);
    add(resource);
  }
  return pending;
}

// What the controller is called back with: fills in its answers and replies once they are in force.
template <class Response>
auto finish(Node& node, io::Executor& home, Pending<Response> pending, Reply<Response> reply) {
  return [&node, &home, pending = std::move(pending), reply = std::move(reply)](
             std::expected<proto::AlterConfigsReply, CallError> made) mutable {
    const CallError failed = whole_error(made);
    for (std::size_t i = 0; i < pending.asked.size(); ++i) {
      auto& out = pending.response.responses[pending.asked[i]];
      if (failed.code != ErrorCode::kNone) {
        out.error_code = failed.code;
        out.error_message = failed.message;
      } else if (i < static_cast<std::size_t>(made->resources_size())) {
        set_error(made->resources(static_cast<int>(i)).error(), out.error_code, out.error_message);
      }
    }
    const base::Offset offset(made ? made->offset() : -1);
    node.hosting->when_applied(
        offset, home, [response = std::move(pending.response), reply = std::move(reply)]() mutable {
          reply(response);
        });
  };
}

}  // namespace

void alter_configs(Context& context, const wire::AlterConfigsRequest& request,
                   Reply<wire::AlterConfigsResponse> reply) {
  proto::AlterConfigsRequest call;
  call.set_validate_only(request.validate_only);
  auto pending = sort_out<wire::AlterConfigsResponse>(
      context.node, request, [&](const wire::AlterConfigsRequest::AlterConfigsResource& resource) {
        auto* each = call.add_resources();
        each->set_type(resource.resource_type);
        each->set_name(resource.resource_name);
        for (const auto& config : resource.configs) {
          auto* set = each->add_configs();
          set->set_key(config.name);
          if (config.value) set->set_value(*config.value);
        }
      });
  if (pending.asked.empty()) return reply(pending.response);
  io::Executor& home = context.reactor.executor;
  context.node.controller->alter_configs(
      call, kTimeout, home, finish(context.node, home, std::move(pending), std::move(reply)));
}

void incremental_alter_configs(Context& context,
                               const wire::IncrementalAlterConfigsRequest& request,
                               Reply<wire::IncrementalAlterConfigsResponse> reply) {
  proto::IncrementalAlterConfigsRequest call;
  call.set_validate_only(request.validate_only);
  auto pending = sort_out<wire::IncrementalAlterConfigsResponse>(
      context.node, request,
      [&](const wire::IncrementalAlterConfigsRequest::AlterConfigsResource& resource) {
        auto* each = call.add_resources();
        each->set_type(resource.resource_type);
        each->set_name(resource.resource_name);
        for (const auto& config : resource.configs) {
          auto* set = each->add_configs();
          set->set_key(config.name);
          set->set_op(config.config_operation);
          if (config.value) set->set_value(*config.value);
        }
      });
  if (pending.asked.empty()) return reply(pending.response);
  io::Executor& home = context.reactor.executor;
  context.node.controller->incremental_alter_configs(
      call, kTimeout, home, finish(context.node, home, std::move(pending), std::move(reply)));
}

}  // namespace broker::api
