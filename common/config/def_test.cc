#include "common/config/def.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace config {
namespace {

struct Known {
  const char* name;
  const char* type;
  const char* default_value;
};
// The topic configs of Apache Kafka 4.4.0.
constexpr Known kKafkaTopicConfigs[] = {
    {"cleanup.policy", "LIST", "delete"},
    {"compression.gzip.level", "INT", "-1"},
    {"compression.lz4.level", "INT", "9"},
    {"compression.type", "STRING", "producer"},
    {"compression.zstd.level", "INT", "3"},
    {"delete.retention.ms", "LONG", "86400000"},
    {"errors.deadletterqueue.group.enable", "BOOLEAN", "false"},
    {"file.delete.delay.ms", "LONG", "60000"},
    {"flush.messages", "LONG", "9223372036854775807"},
    {"flush.ms", "LONG", "9223372036854775807"},
    {"follower.replication.throttled.replicas", "LIST", ""},
    {"index.interval.bytes", "INT", "4096"},
    {"internal.segment.bytes", "INT", nullptr},
    {"leader.replication.throttled.replicas", "LIST", ""},
    {"local.retention.bytes", "LONG", "-2"},
    {"local.retention.ms", "LONG", "-2"},
    {"max.compaction.lag.ms", "LONG", "9223372036854775807"},
    // Kafka allows 2 GiB: one small request could then claim that much memory.
    {"max.decompressed.message.bytes", "INT", "33554432"},
    {"max.message.bytes", "INT", "1048588"},
    {"message.timestamp.after.max.ms", "LONG", "3600000"},
    {"message.timestamp.before.max.ms", "LONG", "9223372036854775807"},
    {"message.timestamp.type", "STRING", "CreateTime"},
    {"min.cleanable.dirty.ratio", "DOUBLE", "0.5"},
    {"min.compaction.lag.ms", "LONG", "0"},
    {"min.insync.replicas", "INT", "1"},
    {"preallocate", "BOOLEAN", "false"},
    {"remote.copy.lag.bytes", "LONG", "-1"},
    {"remote.copy.lag.ms", "LONG", "0"},
    {"remote.log.copy.disable", "BOOLEAN", "false"},
    {"remote.log.delete.on.disable", "BOOLEAN", "false"},
    {"remote.storage.enable", "BOOLEAN", "false"},
    {"retention.bytes", "LONG", "-1"},
    {"retention.ms", "LONG", "604800000"},
    {"segment.bytes", "INT", "1073741824"},
    {"segment.index.bytes", "INT", "10485760"},
    {"segment.jitter.ms", "LONG", "0"},
    {"segment.ms", "LONG", "604800000"},
    {"unclean.leader.election.enable", "BOOLEAN", "false"},
};

// "" when the value is taken, else the message.
std::string refusal(Resource resource, std::string_view key, std::string_view value) {
  const Def* def = find(resource, key);
  if (def == nullptr) return "no such key";
  const auto parsed = parse_value(*def, value);
  return parsed ? "" : parsed.error().message;
}

// Goal: every topic config of Kafka 4.4 is there with its type and default; only
// min.insync.replicas has a default of our own, and moldau.durability is added. Method: Kafka's
// table.
TEST(Defs, TopicConfigsAreKafkas) {
  for (const Known& known : kKafkaTopicConfigs) {
    const Def* def = find(Resource::kTopic, known.name);
    ASSERT_NE(def, nullptr) << known.name;
    EXPECT_EQ(name(def->type), known.type) << known.name;
    if (std::string_view(known.name) == "min.insync.replicas") {
      EXPECT_EQ(def->default_value, "2");
    } else if (known.default_value == nullptr) {
      EXPECT_FALSE(def->default_value) << known.name;
    } else {
      EXPECT_EQ(def->default_value, known.default_value) << known.name;
    }
  }
  EXPECT_EQ(defs(Resource::kTopic).size(), std::size(kKafkaTopicConfigs) + 1);
  EXPECT_NE(find(Resource::kTopic, "moldau.durability"), nullptr);
}

// Goal: the tables agree with themselves. Method: sorted names, defaults that parse, synonyms that
// exist and give the same default, documentation everywhere.
TEST(Defs, TablesAreSound) {
  for (Resource resource : {Resource::kTopic, Resource::kBroker, Resource::kGroup}) {
    const auto table = defs(resource);
    EXPECT_TRUE(std::ranges::is_sorted(table, {}, &Def::name));
    EXPECT_EQ(std::ranges::adjacent_find(table, {}, &Def::name), table.end());
    for (const Def& def : table) {
      EXPECT_EQ(find(resource, def.name), &def);
      EXPECT_FALSE(def.documentation.empty()) << def.name;
      EXPECT_TRUE(def.documentation.ends_with('.')) << def.name;
      if (def.default_value) {
        EXPECT_EQ(parse_value(def, *def.default_value), std::string(*def.default_value))
            << def.name;
      }
      for (const Synonym& synonym : def.synonyms) {
        const Def* other = find(Resource::kBroker, synonym.name);
        ASSERT_NE(other, nullptr) << synonym.name;
        if (resource == Resource::kBroker) continue;
        // What all topics can be given, one of them can be given.
        if (other->effect == Effect::kEffective)
          EXPECT_EQ(def.effect, Effect::kEffective) << def.name << " beside " << other->name;
        if (synonym.scale == 1) EXPECT_EQ(other->type == Type::kInt, def.type == Type::kInt);
        if (def.default_value && other->default_value && synonym.scale == 1 &&
            other->effect == def.effect)
          EXPECT_EQ(other->default_value, def.default_value) << def.name;
      }
    }
  }
}

// Goal: types are parsed as Kafka parses them, and messages name key and value. Method: good and
// bad texts of each type.
TEST(Defs, ParsesTypes) {
  EXPECT_EQ(parse_value(*find(Resource::kTopic, "retention.ms"), " +5 "), "+5");
  EXPECT_EQ(parse_value(*find(Resource::kBroker, "delete.topic.enable"), "FALSE"), "false");
  EXPECT_EQ(refusal(Resource::kTopic, "retention.ms", "week"),
            "Invalid value week for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(refusal(Resource::kTopic, "segment.bytes", "99999999999"),
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT");
  EXPECT_NE(refusal(Resource::kTopic, "retention.ms", ""), "");
  EXPECT_NE(refusal(Resource::kTopic, "retention.ms", "++5"), "");
  EXPECT_NE(refusal(Resource::kTopic, "retention.ms", "5ms"), "");
  EXPECT_NE(refusal(Resource::kTopic, "retention.ms", "9223372036854775808"), "");
  EXPECT_EQ(refusal(Resource::kTopic, "retention.ms", "9223372036854775807"), "");
  EXPECT_EQ(refusal(Resource::kBroker, "delete.topic.enable", "yes"),
            "Invalid value yes for configuration delete.topic.enable: Expected value to be either "
            "true or false");
  EXPECT_EQ(refusal(Resource::kTopic, "min.cleanable.dirty.ratio", "0.50"), "");
  EXPECT_EQ(refusal(Resource::kTopic, "min.cleanable.dirty.ratio", "0.01"), "");
  EXPECT_NE(refusal(Resource::kTopic, "min.cleanable.dirty.ratio", "nan"), "");
}

// Goal: ranges and words are held. Method: at and past the borders.
TEST(Defs, HoldsRanges) {
  EXPECT_EQ(refusal(Resource::kTopic, "segment.bytes", "1048576"), "");
  EXPECT_EQ(refusal(Resource::kTopic, "segment.bytes", "1048575"),
            "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576 "
            "(allowed: [1048576,...])");
  EXPECT_EQ(refusal(Resource::kTopic, "compression.lz4.level", "18"),
            "Invalid value 18 for configuration compression.lz4.level: Value must be no more than "
            "17 (allowed: [1,...,17])");
  for (const char* good : {"-1", "1", "9"})
    EXPECT_EQ(refusal(Resource::kTopic, "compression.gzip.level", good), "");
  for (const char* bad : {"-2", "0", "10"})
    EXPECT_NE(refusal(Resource::kTopic, "compression.gzip.level", bad), "");
  EXPECT_EQ(refusal(Resource::kTopic, "compression.type", "brotli"),
            "Invalid value brotli for configuration compression.type: String must be one of: "
            "uncompressed, zstd, lz4, snappy, gzip, producer");
  EXPECT_EQ(refusal(Resource::kTopic, "cleanup.policy", " compact , delete "), "");
  EXPECT_EQ(refusal(Resource::kTopic, "cleanup.policy", ""), "");
  EXPECT_NE(refusal(Resource::kTopic, "cleanup.policy", "compact,compact"), "");
  EXPECT_NE(refusal(Resource::kTopic, "cleanup.policy", "compact,"), "");
  EXPECT_NE(refusal(Resource::kTopic, "cleanup.policy", "Delete"), "");
  EXPECT_NE(refusal(Resource::kTopic, "moldau.durability", "none"), "");
}

// Goal: what has no effect is refused by name, but its default is taken however it is written.
// Method: each type of such keys.
TEST(Defs, RefusesWhatHasNoEffect) {
  const Def* preallocate = find(Resource::kTopic, "preallocate");
  const auto refused = parse_value(*preallocate, "true");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kNoEffect);
  EXPECT_EQ(refused.error().key, "preallocate");
  EXPECT_EQ(refused.error().message,
            "Invalid value true for configuration preallocate: preallocate has no effect in Moldau "
            "and can only have its default false");
  EXPECT_EQ(refusal(Resource::kTopic, "preallocate", "False"), "");
  EXPECT_EQ(refusal(Resource::kTopic, "local.retention.ms", "-2"), "");
  EXPECT_NE(refusal(Resource::kTopic, "local.retention.ms", "-1"), "");
  EXPECT_EQ(refusal(Resource::kTopic, "flush.messages", "9223372036854775807"), "");
  EXPECT_NE(refusal(Resource::kBroker, "replica.selector.class", "x"), "");
  EXPECT_EQ(refusal(Resource::kBroker, "replica.selector.class",
                    "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
            "");
  EXPECT_NE(refusal(Resource::kGroup, "streams.session.timeout.ms", "46000"), "");
  EXPECT_EQ(refusal(Resource::kGroup, "consumer.session.timeout.ms", "46000"), "");
  EXPECT_EQ(refusal(Resource::kBroker, "ssl.keystore.password", "secret").find("secret"),
            std::string::npos);
}

// Goal: a set of overrides is judged as a whole, with the unknown key's nearest. Method: good, bad
// and misspelt sets.
TEST(Defs, ValidatesSets) {
  EXPECT_TRUE(validate(Resource::kTopic, {{"retention.ms", "1"}, {"cleanup.policy", "compact"}}));
  EXPECT_TRUE(validate(Resource::kTopic, {}));
  const auto unknown = validate(Resource::kTopic, {{"retenton.ms", "1"}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::kUnknownKey);
  EXPECT_EQ(unknown.error().message,
            "Unknown configuration retenton.ms: did you mean retention.ms?");
  EXPECT_EQ(validate(Resource::kTopic, {{"retention.ms", "x"}}).error().kind,
            ErrorKind::kInvalidValue);
  EXPECT_FALSE(validate(Resource::kTopic, {{"log.retention.ms", "1"}}));
}

// Goal: only what may change while brokers run can be overridden. Method: one of each kind; the two
// that librdkafka's tests write must work.
TEST(Defs, DynamicBrokerOverrides) {
  EXPECT_TRUE(validate_dynamic_broker({{"background.threads", "20"}}, false));
  EXPECT_TRUE(validate_dynamic_broker({{"log.cleanup.policy", "compact"}}, true));
  const auto fixed = validate_dynamic_broker({{"node.id", "3"}}, false);
  ASSERT_FALSE(fixed);
  EXPECT_EQ(fixed.error().kind, ErrorKind::kReadOnly);
  EXPECT_EQ(validate_dynamic_broker({{"background.threads", "0"}}, false).error().kind,
            ErrorKind::kInvalidValue);
}

// Goal: suggestions help with slips and with the other resource's name, and do not guess wildly.
// Method: typical mistakes.
TEST(Defs, Suggests) {
  EXPECT_EQ(did_you_mean(Resource::kBroker, "log.retention.msec"), "log.retention.ms");
  EXPECT_EQ(did_you_mean(Resource::kBroker, "log_retention_ms"), "log.retention.ms");
  EXPECT_EQ(did_you_mean(Resource::kBroker, "LISTENER"), "listeners");
  EXPECT_EQ(did_you_mean(Resource::kBroker, "log.rteention.ms"), "log.retention.ms");
  EXPECT_EQ(did_you_mean(Resource::kBroker, "retention.ms"), "log.retention.ms");
  EXPECT_FALSE(did_you_mean(Resource::kBroker, "zookeeper.connect"));
  EXPECT_FALSE(did_you_mean(Resource::kBroker, ""));
  EXPECT_FALSE(did_you_mean(Resource::kBroker, std::string(100'000, 'a')));
}

// Goal: lists split as Kafka splits them. Method: blanks, empties.
TEST(Defs, SplitsLists) {
  EXPECT_EQ(split_list(" a, b ,c"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(split_list("  "), std::vector<std::string>{});
  EXPECT_EQ(split_list("a,,"), (std::vector<std::string>{"a", "", ""}));
  EXPECT_TRUE(is_list(Resource::kTopic, "cleanup.policy"));
  EXPECT_FALSE(is_list(Resource::kTopic, "retention.ms"));
  EXPECT_FALSE(is_list(Resource::kTopic, "nothing"));
}

}  // namespace
}  // namespace config
