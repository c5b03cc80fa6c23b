#include "common/config/describe.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace config {
namespace {

const Entry& entry(const std::vector<Entry>& entries, std::string_view name) {
  const auto at = std::ranges::find(entries, name, &Entry::name);
  if (at == entries.end()) throw std::runtime_error("no entry " + std::string(name));
  return *at;
}

// Goal: an untouched topic lists every config with its default and the brokers' names for it.
// Method: retention.ms has three of them, the default stands in hours.
TEST(Describe, TopicDefaults) {
  const auto entries = describe_topic({}, {});
  EXPECT_EQ(entries.size(), defs(Resource::kTopic).size() - 1);  // internal.segment.bytes
  EXPECT_TRUE(std::ranges::is_sorted(entries, {}, &Entry::name));
  for (const Entry& each : entries) EXPECT_TRUE(each.is_default()) << each.name;
  const Entry& retention = entry(entries, "retention.ms");
  EXPECT_EQ(retention.value, "604800000");
  EXPECT_EQ(retention.type, Type::kLong);
  EXPECT_FALSE(retention.is_read_only);
  EXPECT_EQ(retention.synonyms,
            (std::vector<EntrySynonym>{{"log.retention.hours", "168", Source::kDefault}}));
  EXPECT_TRUE(entry(entries, "preallocate").is_read_only);
  const auto internal = describe_topic({{"internal.segment.bytes", "500"}}, {});
  EXPECT_EQ(entry(internal, "internal.segment.bytes").value, "500");
}

// Goal: source and synonyms follow the layers. Method: retention.ms set in one layer after another.
TEST(Describe, TopicLayers) {
  GivenValues given = {{"log.retention.hours", {"1", "file"}}};
  Overrides cluster;
  Overrides broker;
  const BrokerLayers layers{.broker = &broker, .cluster = &cluster, .given = &given};
  auto retention = [&](const Overrides& topic = {}) {
    return entry(describe_topic(topic, layers), "retention.ms");
  };
  EXPECT_EQ(retention().value, "3600000");
  EXPECT_EQ(retention().source, Source::kStaticBroker);
  cluster["log.retention.ms"] = "500";
  EXPECT_EQ(retention().value, "500");
  EXPECT_EQ(retention().source, Source::kDynamicCluster);
  broker["log.retention.ms"] = "400";
  EXPECT_EQ(retention().source, Source::kDynamicBroker);
  const Entry own = retention({{"retention.ms", "300"}});
  EXPECT_EQ(own.value, "300");
  EXPECT_EQ(own.source, Source::kTopic);
  EXPECT_EQ(own.synonyms,
            (std::vector<EntrySynonym>{{"retention.ms", "300", Source::kTopic},
                                       {"log.retention.ms", "400", Source::kDynamicBroker},
                                       {"log.retention.ms", "500", Source::kDynamicCluster},
                                       {"log.retention.hours", "1", Source::kStaticBroker},
                                       {"log.retention.hours", "168", Source::kDefault}}));
}

// Goal: a broker lists what tools read, with who may change it; secrets are hidden. Method: the
// keys that kafka-ui, librdkafka's tests and UIs look for.
TEST(Describe, Broker) {
  const GivenValues given = {{"node.id", {"5", "--set"}}};
  const auto entries = describe_broker({.given = &given});
  EXPECT_EQ(entry(entries, "node.id").value, "5");
  EXPECT_EQ(entry(entries, "node.id").source, Source::kStaticBroker);
  EXPECT_TRUE(entry(entries, "node.id").is_read_only);
  EXPECT_EQ(entry(entries, "delete.topic.enable").value, "true");
  EXPECT_EQ(entry(entries, "auto.create.topics.enable").value, "true");
  EXPECT_EQ(entry(entries, "connections.max.reauth.ms").value, "0");
  EXPECT_FALSE(entry(entries, "background.threads").is_read_only);
  EXPECT_FALSE(entry(entries, "log.cleanup.policy").is_read_only);
  EXPECT_TRUE(entry(entries, "num.io.threads").is_read_only);
  EXPECT_TRUE(entry(entries, "ssl.keystore.password").is_sensitive);
  EXPECT_FALSE(entry(entries, "ssl.keystore.password").value);
  EXPECT_EQ(std::ranges::find(entries, "inter.broker.protocol.version", &Entry::name),
            entries.end());
  const auto defaults = describe_cluster_default({{"log.retention.ms", "9"}, {"gone.key", "1"}});
  ASSERT_EQ(defaults.size(), 1u);
  EXPECT_EQ(defaults[0].source, Source::kDynamicCluster);
}

// Goal: groups list their configs with the brokers' defaults. Method: session timeout.
TEST(Describe, Group) {
  const auto entries = describe_group({}, {});
  EXPECT_EQ(entries.size(), 27u);
  const Entry& timeout = entry(entries, "consumer.session.timeout.ms");
  EXPECT_EQ(timeout.value, "45000");
  EXPECT_EQ(timeout.synonyms, (std::vector<EntrySynonym>{{"group.consumer.session.timeout.ms",
                                                          "45000", Source::kDefault}}));
}

}  // namespace
}  // namespace config
