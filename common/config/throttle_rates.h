// How fast replicas that are throttled may be copied, as one broker's dynamic configs say. A value.
#pragma once

#include <cstdint>
#include <optional>

#include "common/config/broker_config.h"

namespace config {

// Bytes a second; nothing: as fast as can be.
struct ThrottleRates {
  std::optional<std::int64_t> leader;    // leader.replication.throttled.rate
  std::optional<std::int64_t> follower;  // follower.replication.throttled.rate
  // replica.alter.log.dirs.io.max.bytes.per.second
  std::optional<std::int64_t> moves;

  static ThrottleRates resolve(const BrokerLayers& layers);
};

}  // namespace config
