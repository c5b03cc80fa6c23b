#include "common/config/throttle_rates.h"

#include "common/base/check.h"
#include "common/config/number.h"

namespace config {
namespace {

std::optional<std::int64_t> rate(const BrokerLayers& layers, std::string_view key) {
  const auto text = layers.value(key);
  CHECK(text.has_value());
  const auto value = number<std::int64_t>(*text);
  return value == INT64_MAX ? std::nullopt : std::optional(value);
}

}  // namespace

ThrottleRates ThrottleRates::resolve(const BrokerLayers& layers) {
  return {.leader = rate(layers, "leader.replication.throttled.rate"),
          .follower = rate(layers, "follower.replication.throttled.rate"),
          .moves = rate(layers, "replica.alter.log.dirs.io.max.bytes.per.second")};
}

}  // namespace config
