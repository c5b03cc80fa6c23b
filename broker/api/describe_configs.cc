// DescribeConfigs, versions 1-4: every config of topics, brokers and groups with the value in
// force, its source, synonyms, type and documentation.
#include <algorithm>

#include "broker/api/config_entries.h"
#include "broker/api/handlers.h"
#include "common/wire/msg/describe_configs_request.h"
#include "common/wire/msg/describe_configs_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Request = wire::DescribeConfigsRequest;
using Result = wire::DescribeConfigsResponse::DescribeConfigsResult;

void refuse(Result& out, ErrorCode code, std::string message) {
  out.error_code = code;
  out.error_message = std::move(message);
}

std::vector<config::Entry> entries_of(const Node& node, const meta::Image& image,
                                      const Request::DescribeConfigsResource& asked, Result& out) {
  const auto layers = broker_layers(node, image);
  const std::string& name = asked.resource_name;
  switch (asked.resource_type) {
    case kTopicResource: {
      const meta::Topic* topic = image.topic(name);
      if (topic != nullptr) return config::describe_topic(topic->configs, layers);
      refuse(out, ErrorCode::kUnknownTopicOrPartition, "there is no topic " + name);
      return {};
    }
    case kBrokerResource:
      if (name.empty()) return config::describe_cluster_default(image.cluster_configs());
      if (name == std::to_string(node.broker_id.value())) return config::describe_broker(layers);
      refuse(out, ErrorCode::kInvalidRequest,
             "this is broker " + std::to_string(node.broker_id.value()) + ", not " + name);
      return {};
    case kGroupResource:
      if (!name.empty()) return config::describe_group(image.group_configs(name), layers);
      refuse(out, ErrorCode::kInvalidRequest, "a group has a name");
      return {};
    case kClientMetricsResource:
      return {};  // no subscription has ever been made
    default:
      refuse(
          out, ErrorCode::kInvalidRequest,
          "config resources of type " + std::to_string(asked.resource_type) + " are not described");
      return {};
  }
}

void add_entry(const config::Entry& entry, const Request& request, Result& out) {
  auto& config = out.configs.emplace_back();
  config.name = std::string(entry.name);
  config.value = entry.value;
  config.read_only = entry.is_read_only;
  config.config_source = static_cast<std::int8_t>(entry.source);
  config.is_sensitive = entry.is_sensitive;
  config.config_type = static_cast<std::int8_t>(entry.type);
  if (request.include_documentation) config.documentation = std::string(entry.documentation);
  if (!request.include_synonyms) return;
  for (const auto& synonym : entry.synonyms) {
    config.synonyms.push_back({.name = synonym.name,
                               .value = synonym.value,
                               .source = static_cast<std::int8_t>(synonym.source)});
  }
}

}  // namespace

void describe_configs(Context& context, const wire::DescribeConfigsRequest& request,
                      Reply<wire::DescribeConfigsResponse> reply) {
  const auto image = context.node.image();
  wire::DescribeConfigsResponse response;
  for (const auto& asked : request.resources) {
    Result& out = response.results.emplace_back();
    out.resource_type = asked.resource_type;
    out.resource_name = asked.resource_name;
    // Null and, as old clients send it, empty mean all keys.
    const auto* keys = asked.configuration_keys && !asked.configuration_keys->empty()
                           ? &*asked.configuration_keys
                           : nullptr;
    for (const auto& entry : entries_of(context.node, *image, asked, out)) {
      if (keys != nullptr && std::ranges::find(*keys, entry.name) == keys->end()) continue;
      add_entry(entry, request, out);
    }
  }
  reply(response);
}

}  // namespace broker::api
