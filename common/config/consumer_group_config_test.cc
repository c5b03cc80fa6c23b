#include "common/config/consumer_group_config.h"

#include <gtest/gtest.h>

namespace config {
namespace {

GivenValues given(std::initializer_list<std::pair<std::string, std::string>> values) {
  GivenValues out;
  for (const auto& [key, value] : values) out[key] = {value, "test"};
  return out;
}

// What a broker that is started with these values says; empty: it starts.
std::string refusal(std::initializer_list<std::pair<std::string, std::string>> values) {
  const auto config = BrokerConfig::from(given(values));
  return config ? "" : config.error().message;
}

// Goal: the keys are those of Kafka 4.4 with its defaults. Method: its table.
TEST(ConsumerGroupConfig, KeysAreKafkas) {
  const struct {
    const char* name;
    const char* default_value;
    Effect effect;
    Change change;
  } kKeys[] = {
      {"group.consumer.assignment.interval.ms", "1000", Effect::kEffective, Change::kClusterWide},
      {"group.consumer.assignor.offload.enable", "true", Effect::kDefaultOnly,
       Change::kClusterWide},
      {"group.consumer.max.assignment.interval.ms", "15000", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.max.heartbeat.interval.ms", "15000", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.max.session.timeout.ms", "60000", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.min.assignment.interval.ms", "0", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.min.heartbeat.interval.ms", "5000", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.min.session.timeout.ms", "45000", Effect::kEffective, Change::kReadOnly},
      {"group.consumer.regex.refresh.interval.ms", "600000", Effect::kDefaultOnly,
       Change::kReadOnly}};
  for (const auto& each : kKeys) {
    const Def* def = find(Resource::kBroker, each.name);
    ASSERT_NE(def, nullptr) << each.name;
    EXPECT_EQ(def->default_value, each.default_value) << each.name;
    EXPECT_EQ(def->effect, each.effect) << each.name;
    EXPECT_EQ(def->change, each.change) << each.name;
  }
}

// Goal: a group goes by its own values, then by the brokers' as they are now, then by the defaults;
// the pause between assignments is ours until somebody sets Kafka's. Method: layer by layer.
TEST(ConsumerGroupConfig, FallsBackFromGroupToBroker) {
  const GivenValues none;
  const auto defaults = ConsumerGroupConfig::resolve({}, {.given = &none});
  EXPECT_EQ(defaults.session_timeout_ms, 45'000);
  EXPECT_EQ(defaults.heartbeat_interval_ms, 5'000);
  EXPECT_EQ(defaults.assignment_interval_ms, 0);
  const GivenValues ours = given({{"moldau.group.assignment.interval.ms", "70"}});
  EXPECT_EQ(ConsumerGroupConfig::resolve({}, {.given = &ours}).assignment_interval_ms, 70);
  const GivenValues both = given({{"moldau.group.assignment.interval.ms", "70"},
                                  {"group.consumer.assignment.interval.ms", "1000"}});
  EXPECT_EQ(ConsumerGroupConfig::resolve({}, {.given = &both}).assignment_interval_ms, 1'000);
  const Overrides cluster = {{"group.consumer.assignment.interval.ms", "2000"}};
  const BrokerLayers layers{.cluster = &cluster, .given = &both};
  EXPECT_EQ(ConsumerGroupConfig::resolve({}, layers).assignment_interval_ms, 2'000);
  const Overrides group = {{"consumer.assignment.interval.ms", "0"},
                           {"consumer.session.timeout.ms", "50000"},
                           {"consumer.heartbeat.interval.ms", "6000"}};
  const auto own = ConsumerGroupConfig::resolve(group, layers);
  EXPECT_EQ(own.assignment_interval_ms, 0);
  EXPECT_EQ(own.session_timeout_ms, 50'000);
  EXPECT_EQ(own.heartbeat_interval_ms, 6'000);
}

// Goal: what was given under other bounds, or by another release, does no harm. Method: values
// beyond both bounds, and one that is no number.
TEST(ConsumerGroupConfig, StaysWithinTheBounds) {
  const GivenValues none;
  const Overrides low = {{"consumer.session.timeout.ms", "1"},
                         {"consumer.heartbeat.interval.ms", "1"},
                         {"consumer.assignment.interval.ms", "99999"}};
  const auto clamped = ConsumerGroupConfig::resolve(low, {.given = &none});
  EXPECT_EQ(clamped.session_timeout_ms, 45'000);
  EXPECT_EQ(clamped.heartbeat_interval_ms, 5'000);
  EXPECT_EQ(clamped.assignment_interval_ms, 15'000);
  const Overrides odd = {{"consumer.session.timeout.ms", "soon"}};
  EXPECT_EQ(ConsumerGroupConfig::resolve(odd, {.given = &none}).session_timeout_ms, 45'000);
  const GivenValues paced = given({{"group.consumer.min.assignment.interval.ms", "500"}});
  EXPECT_EQ(ConsumerGroupConfig::resolve({}, {.given = &paced}).assignment_interval_ms, 500)
      << "also where nobody has set the interval";
}

// Goal: a group's own configs keep to the bounds, and the refusal names key, value and bound.
// Method: each side of each bound, and the bounds themselves.
TEST(ConsumerGroupConfig, RefusesWhatIsOutOfBounds) {
  const GivenValues none;
  const auto error = [&](const Overrides& group) -> std::string {
    const auto good = check_consumer_group(group, {.given = &none});
    return good ? "" : good.error().message;
  };
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "44999"}}),
            "Invalid value 44999 for configuration consumer.session.timeout.ms: it is less than "
            "group.consumer.min.session.timeout.ms, which is 45000");
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "60001"}}),
            "Invalid value 60001 for configuration consumer.session.timeout.ms: it is more than "
            "group.consumer.max.session.timeout.ms, which is 60000");
  EXPECT_NE(error({{"consumer.heartbeat.interval.ms", "4999"}}), "");
  EXPECT_NE(error({{"consumer.heartbeat.interval.ms", "15001"}}), "");
  EXPECT_NE(error({{"consumer.assignment.interval.ms", "15001"}}), "");
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "45000"},
                   {"consumer.heartbeat.interval.ms", "15000"},
                   {"consumer.assignment.interval.ms", "0"}}),
            "");
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "soon"}}), "") << "others say what it is";
}

// Goal: no group is told to send heartbeats more slowly than it may be silent. Method: each of the
// two alone against the broker's other one.
TEST(ConsumerGroupConfig, KeepsTheSessionLongerThanAHeartbeat) {
  const GivenValues wide = given({{"group.consumer.min.session.timeout.ms", "5000"},
                                  {"group.consumer.max.heartbeat.interval.ms", "60000"}});
  const auto error = [&](const Overrides& group) -> std::string {
    const auto good = check_consumer_group(group, {.given = &wide});
    return good ? "" : good.error().message;
  };
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "5000"}}),
            "Invalid value 5000 for configuration consumer.session.timeout.ms: it is not more than "
            "consumer.heartbeat.interval.ms, which is 5000");
  EXPECT_NE(error({{"consumer.heartbeat.interval.ms", "45000"}}), "");
  EXPECT_EQ(error({{"consumer.session.timeout.ms", "5001"}}), "");
}

// Goal: a broker whose own values contradict each other does not start, and says which. Method: one
// contradiction at a time.
TEST(ConsumerGroupConfig, BrokersRefuseContradictions) {
  EXPECT_EQ(refusal({{"group.consumer.session.timeout.ms", "6000"}}),
            "Invalid value 6000 for configuration group.consumer.session.timeout.ms: it is less "
            "than group.consumer.min.session.timeout.ms, which is 45000");
  EXPECT_EQ(refusal({{"group.consumer.min.heartbeat.interval.ms", "20000"}}),
            "Invalid value 20000 for configuration group.consumer.min.heartbeat.interval.ms: it is "
            "more than group.consumer.max.heartbeat.interval.ms, which is 15000");
  EXPECT_NE(refusal({{"group.consumer.max.assignment.interval.ms", "500"}}), "");
  EXPECT_NE(refusal({{"group.consumer.min.session.timeout.ms", "5000"},
                     {"group.consumer.session.timeout.ms", "5000"}}),
            "");
  EXPECT_EQ(refusal({{"group.consumer.min.session.timeout.ms", "6000"},
                     {"group.consumer.session.timeout.ms", "6000"}}),
            "");
  EXPECT_EQ(refusal({{"group.consumer.assignment.interval.ms", "0"}}), "");
}

}  // namespace
}  // namespace config
