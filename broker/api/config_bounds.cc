#include "broker/api/config_bounds.h"

#include "broker/api/config_entries.h"
#include "common/config/consumer_group_config.h"

namespace broker::api {

std::optional<std::string> out_of_bounds(const Node& node, const meta::Image& image,
                                         std::int8_t type, const std::string& name,
                                         const config::Overrides& configs) {
  config::BrokerLayers layers = broker_layers(node, image);
  std::expected<void, config::Error> good;
  if (type == kGroupResource) {
    good = config::check_consumer_group(configs, layers);
  } else if (type == kBrokerResource) {
    (name.empty() ? layers.cluster : layers.broker) = &configs;
    good = config::check_consumer_groups(layers);
  }
  return good ? std::nullopt : std::optional(std::move(good.error().message));
}

}  // namespace broker::api
