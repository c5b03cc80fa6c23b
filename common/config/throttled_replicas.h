// The replicas whose copying is throttled, as the topic configs
// leader.replication.throttled.replicas and follower.replication.throttled.replicas name them: "*"
// for all, or a list of PARTITION:BROKER. A value.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"

namespace config {

struct ThrottledReplicas {
  bool all = false;
  std::vector<std::pair<std::int32_t, base::BrokerId>> some;  // partition and broker, sorted

  bool holds(std::int32_t partition, base::BrokerId broker) const;
  friend bool operator==(const ThrottledReplicas&, const ThrottledReplicas&) = default;

  // The error is text.
  static std::expected<ThrottledReplicas, std::string> parse(std::string_view text);
};

}  // namespace config
