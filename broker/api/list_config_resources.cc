// ListConfigResources, versions 0-1 (KIP-714, KIP-1142). Version 0 knows client metrics only.
#include "broker/api/config_entries.h"
#include "broker/api/handlers.h"
#include "common/wire/msg/list_config_resources_request.h"
#include "common/wire/msg/list_config_resources_response.h"

namespace broker::api {

void list_config_resources(Context& context, const wire::ListConfigResourcesRequest& request,
                           Reply<wire::ListConfigResourcesResponse> reply) {
  wire::ListConfigResourcesResponse response;
  if (context.version == 0) return reply(response);  // no client metrics are configured
  std::vector<std::int8_t> types = request.resource_types;
  if (types.empty()) {
    types = {kTopicResource, kBrokerResource, kBrokerLoggerResource, kClientMetricsResource,
             kGroupResource};
  }
  const auto image = context.node.image();
  const auto add = [&](std::string name, std::int8_t type) {
    response.config_resources.push_back({.resource_name = std::move(name), .resource_type = type});
  };
  for (const std::int8_t type : types) {
    switch (type) {
      case kTopicResource:
        for (const auto& [name, topic] : image->topics()) add(name, type);
        break;
      case kBrokerResource:
      case kBrokerLoggerResource:
        for (const auto& [id, broker] : image->brokers()) add(std::to_string(id.value()), type);
        break;
      case kClientMetricsResource:
        break;
      case kGroupResource:
        for (const auto& [name, configs] : image->groups_with_configs()) add(name, type);
        break;
      default:
        response.config_resources.clear();
        response.error_code = wire::ErrorCode::kUnsupportedVersion;
        return reply(response);
    }
  }
  reply(response);
}

}  // namespace broker::api
