// What a consumer group (KIP-848) goes by on one broker: the group's own configs, the broker's, and
// the bounds group.consumer.min/max.* that the broker has for both. Values; any thread.
#pragma once

#include <cstdint>
#include <expected>

#include "common/config/broker_config.h"
#include "common/config/def.h"

namespace config {

struct ConsumerGroupConfig {
  std::int32_t session_timeout_ms = 0;
  std::int32_t heartbeat_interval_ms = 0;
  std::int32_t assignment_interval_ms = 0;

  // Within the bounds: a value that was given under other ones becomes the nearest that is.
  // `group`: the group's own configs.
  static ConsumerGroupConfig resolve(const Overrides& group, const BrokerLayers& layers);
};

// Whether these can be a group's own configs: each within the broker's bounds, and the session
// longer than a heartbeat's interval. What does not parse is not judged here. The error names key,
// value and bound.
std::expected<void, Error> check_consumer_group(const Overrides& group, const BrokerLayers& layers);

// The same of the broker's own values, and of the bounds among each other.
std::expected<void, Error> check_consumer_groups(const BrokerLayers& layers);

}  // namespace config
