// Where a broker's configs are looked for, as handlers need it.
#pragma once

#include "broker/node/node.h"
#include "common/config/describe.h"

namespace broker::api {

// Views `node` and `image`, which outlive the result.
inline config::BrokerLayers broker_layers(const Node& node, const meta::Image& image) {
  return {.broker = &image.broker_configs(node.broker_id),
          .cluster = &image.cluster_configs(),
          .given = &node.config.given};
}

// Kafka's numbers of config resources.
inline constexpr std::int8_t kTopicResource = 2;
inline constexpr std::int8_t kBrokerResource = 4;
inline constexpr std::int8_t kBrokerLoggerResource = 8;
inline constexpr std::int8_t kClientMetricsResource = 16;
inline constexpr std::int8_t kGroupResource = 32;

}  // namespace broker::api
