#include "common/config/topic_config.h"

#include <gtest/gtest.h>

namespace config {
namespace {

// Goal: without any setting the typed values are those that a default-made struct has. Method:
// compare whole (min.insync.replicas has a default of our own).
TEST(TopicConfig, DefaultsAgree) {
  TopicConfig want;
  want.min_insync_replicas = 2;
  want.compression_level = std::nullopt;
  EXPECT_EQ(TopicConfig::resolve({}, {}), want);
}

// Goal: overrides arrive typed. Method: one of each kind.
TEST(TopicConfig, Overrides) {
  const TopicConfig config = TopicConfig::resolve({{"cleanup.policy", "compact,delete"},
                                                   {"compression.type", "zstd"},
                                                   {"compression.zstd.level", "-5"},
                                                   {"message.timestamp.type", "LogAppendTime"},
                                                   {"moldau.durability", "interval"},
                                                   {"retention.ms", "-1"},
                                                   {"segment.bytes", "2097152"}},
                                                  {});
  EXPECT_TRUE(config.compacts);
  EXPECT_TRUE(config.deletes);
  EXPECT_EQ(config.compression, record::Codec::kZstd);
  EXPECT_EQ(config.compression_level, -5);
  EXPECT_EQ(config.timestamp_type, record::TimestampType::kLogAppendTime);
  EXPECT_EQ(config.durability, Durability::kInterval);
  EXPECT_EQ(config.retention_ms, -1);
  EXPECT_EQ(config.segment_bytes, 2'097'152);
  const TopicConfig keeps_all = TopicConfig::resolve({{"cleanup.policy", ""}}, {});
  EXPECT_FALSE(keeps_all.compacts);
  EXPECT_FALSE(keeps_all.deletes);
  EXPECT_EQ(TopicConfig::resolve({{"internal.segment.bytes", "500"}}, {}).segment_bytes, 500);
  EXPECT_EQ(TopicConfig::resolve({{"compression.type", "uncompressed"}}, {}).compression,
            record::Codec::kNone);
}

// Goal: brokers' values are inherited, the strongest synonym first, hours turned to milliseconds.
// Method: log.retention.* in all units and layers.
TEST(TopicConfig, InheritsFromBrokers) {
  GivenValues given = {{"log.retention.hours", {"2", "file"}},
                       {"log.segment.bytes", {"1048576", "file"}}};
  Overrides cluster;
  const BrokerLayers layers{.cluster = &cluster, .given = &given};
  EXPECT_EQ(TopicConfig::resolve({}, layers).retention_ms, 7'200'000);
  EXPECT_EQ(TopicConfig::resolve({}, layers).segment_bytes, 1'048'576);
  given["log.retention.minutes"] = {"3", "file"};
  EXPECT_EQ(TopicConfig::resolve({}, layers).retention_ms, 180'000);
  given["log.retention.minutes"] = {"-1", "file"};
  EXPECT_EQ(TopicConfig::resolve({}, layers).retention_ms, -1);
  cluster["log.retention.ms"] = "5";
  EXPECT_EQ(TopicConfig::resolve({}, layers).retention_ms, 5);
  EXPECT_EQ(TopicConfig::resolve({{"retention.ms", "6"}}, layers).retention_ms, 6);
  cluster["producer.id.expiration.ms"] = "1234";
  EXPECT_EQ(TopicConfig::resolve({}, layers).producer_id_expiration_ms, 1234);
}

// Goal: values of another release do not stop a topic. Method: texts that do not parse.
TEST(TopicConfig, PassesOverForeignValues) {
  const Overrides cluster = {{"log.retention.ms", "soon"}};
  const BrokerLayers layers{.cluster = &cluster};
  EXPECT_EQ(TopicConfig::resolve({{"retention.ms", "weekly"}}, layers).retention_ms, 604'800'000);
  EXPECT_EQ(TopicConfig::resolve({{"no.such.key", "1"}}, {}), TopicConfig::resolve({}, {}));
}

// Goal: what validation needs is handed on. Method: a topic with its own limits.
TEST(TopicConfig, ValidateOptions) {
  const auto options =
      TopicConfig::resolve(
          {{"max.message.bytes", "77"}, {"cleanup.policy", "compact"}, {"compression.type", "lz4"}},
          {})
          .validate_options(9, 123);
  EXPECT_EQ(options.produce_version, 9);
  EXPECT_EQ(options.now, 123);
  EXPECT_EQ(options.batch_bytes_max, 77);
  EXPECT_TRUE(options.compacted);
  EXPECT_EQ(options.codec, record::Codec::kLz4);
  EXPECT_EQ(options.level, 9);
}

}  // namespace
}  // namespace config
