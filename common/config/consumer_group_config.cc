#include "common/config/consumer_group_config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/config/inherit.h"
#include "common/config/number.h"

namespace config {
namespace {

struct Bounded {
  std::string_view group_key, broker_key, min_key, max_key;
};
constexpr Bounded kSession = {"consumer.session.timeout.ms", "group.consumer.session.timeout.ms",
                              "group.consumer.min.session.timeout.ms",
                              "group.consumer.max.session.timeout.ms"};
constexpr Bounded kHeartbeat = {
    "consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms",
    "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"};
constexpr Bounded kAssignment = {
    "consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms",
    "group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"};
constexpr std::string_view kOwnAssignmentKey = "moldau.group.assignment.interval.ms";

// What another release has written may not parse: then the default holds.
std::int32_t broker_value(std::string_view key, const BrokerLayers& layers) {
  const Def* def = find(Resource::kBroker, key);
  CHECK(def != nullptr);
  return number<std::int32_t>(parsed_or_default(*def, layers.value(key)));
}

std::optional<std::int32_t> group_value(std::string_view key, const Overrides& group) {
  const auto at = group.find(key);
  if (at == group.end()) return std::nullopt;
  const Def* def = find(Resource::kGroup, key);
  CHECK(def != nullptr);
  const auto parsed = parse_value(*def, at->second);
  return parsed ? std::optional(number<std::int32_t>(*parsed)) : std::nullopt;
}

std::int32_t value_of(const Bounded& which, const Overrides& group, const BrokerLayers& layers) {
  const auto own = group_value(which.group_key, group);
  const auto of_broker = [&] {
    const bool is_ours = &which == &kAssignment && !layers.set_value(which.broker_key);
    return broker_value(is_ours ? kOwnAssignmentKey : which.broker_key, layers);
  };
  const std::int32_t value = own ? *own : of_broker();
  return std::min(std::max(value, broker_value(which.min_key, layers)),
                  broker_value(which.max_key, layers));
}

std::unexpected<Error> refused(std::string_view key, std::int32_t value, const std::string& why) {
  return std::unexpected(Error{ErrorKind::kInvalidValue, std::string(key),
                               "Invalid value " + std::to_string(value) + " for configuration " +
                                   std::string(key) + ": " + why});
}

std::string than(std::string_view key, std::int32_t value) {
  return " than " + std::string(key) + ", which is " + std::to_string(value);
}

std::expected<void, Error> check_bounds(std::string_view key, std::int32_t value,
                                        const Bounded& which, const BrokerLayers& layers) {
  const std::int32_t min = broker_value(which.min_key, layers);
  const std::int32_t max = broker_value(which.max_key, layers);
  if (value < min) return refused(key, value, "it is less" + than(which.min_key, min));
  if (value > max) return refused(key, value, "it is more" + than(which.max_key, max));
  return {};
}

}  // namespace

ConsumerGroupConfig ConsumerGroupConfig::resolve(const Overrides& group,
                                                 const BrokerLayers& layers) {
  return {.session_timeout_ms = value_of(kSession, group, layers),
          .heartbeat_interval_ms = value_of(kHeartbeat, group, layers),
          .assignment_interval_ms = value_of(kAssignment, group, layers)};
}

std::expected<void, Error> check_consumer_group(const Overrides& group,
                                                const BrokerLayers& layers) {
  for (const Bounded* each : {&kSession, &kHeartbeat, &kAssignment}) {
    const auto value = group_value(each->group_key, group);
    if (!value) continue;
    if (auto good = check_bounds(each->group_key, *value, *each, layers); !good) return good;
  }
  const auto own_session = group_value(kSession.group_key, group);
  const auto own_heartbeat = group_value(kHeartbeat.group_key, group);
  if (!own_session && !own_heartbeat) return {};
  const std::int32_t session = own_session.value_or(broker_value(kSession.broker_key, layers));
  const std::int32_t heartbeat =
      own_heartbeat.value_or(broker_value(kHeartbeat.broker_key, layers));
  if (session > heartbeat) return {};
  return refused(kSession.group_key, session,
                 "it is not more" + than(kHeartbeat.group_key, heartbeat));
}

std::expected<void, Error> check_consumer_groups(const BrokerLayers& layers) {
  for (const Bounded* each : {&kSession, &kHeartbeat, &kAssignment}) {
    const std::int32_t min = broker_value(each->min_key, layers);
    const std::int32_t max = broker_value(each->max_key, layers);
    if (min > max) return refused(each->min_key, min, "it is more" + than(each->max_key, max));
    const std::int32_t value = broker_value(each->broker_key, layers);
    if (auto good = check_bounds(each->broker_key, value, *each, layers); !good) return good;
  }
  const std::int32_t session = broker_value(kSession.broker_key, layers);
  const std::int32_t heartbeat = broker_value(kHeartbeat.broker_key, layers);
  if (heartbeat < session) return {};
  return refused(kHeartbeat.broker_key, heartbeat,
                 "it is not less" + than(kSession.broker_key, session));
}

}  // namespace config
