#include "common/config/topic_config.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/config/inherit.h"
#include "common/config/number.h"

namespace config {
namespace {

class Values {
 public:
  Values(const Overrides& overrides, const BrokerLayers& layers)
      : overrides_(overrides), layers_(layers) {}

  std::optional<std::string> text(std::string_view key) const {
    const Def* def = find(Resource::kTopic, key);
    CHECK(def != nullptr);
    return inherited_value(*def, overrides_, layers_).value;
  }
  std::string required(std::string_view key) const {
    auto value = text(key);
    CHECK(value.has_value());
    return *std::move(value);
  }
  std::int32_t int_of(std::string_view key) const { return number<std::int32_t>(required(key)); }
  std::int64_t long_of(std::string_view key) const { return number<std::int64_t>(required(key)); }
  double double_of(std::string_view key) const { return number<double>(required(key)); }
  bool bool_of(std::string_view key) const { return required(key) == "true"; }

 private:
  const Overrides& overrides_;
  const BrokerLayers& layers_;
};

Durability durability_of(std::string_view text) {
  if (text == "interval") return Durability::kInterval;
  if (text == "replicated") return Durability::kReplicated;
  return Durability::kFsync;
}

record::Level level_of(const Values& values, record::Codec codec) {
  switch (codec) {
    case record::Codec::kGzip:
      return values.int_of("compression.gzip.level");
    case record::Codec::kLz4:
      return values.int_of("compression.lz4.level");
    case record::Codec::kZstd:
      return values.int_of("compression.zstd.level");
    case record::Codec::kNone:
    case record::Codec::kSnappy:
      break;
  }
  return std::nullopt;
}

void read_retention(const Values& values, TopicConfig& config) {
  const auto policies = split_list(values.required("cleanup.policy"));
  config.deletes = std::ranges::find(policies, "delete") != policies.end();
  config.compacts = std::ranges::find(policies, "compact") != policies.end();
  config.retention_ms = values.long_of("retention.ms");
  config.retention_bytes = values.long_of("retention.bytes");
  config.delete_retention_ms = values.long_of("delete.retention.ms");
  config.file_delete_delay_ms = values.long_of("file.delete.delay.ms");
  config.min_cleanable_dirty_ratio = values.double_of("min.cleanable.dirty.ratio");
  config.min_compaction_lag_ms = values.long_of("min.compaction.lag.ms");
  config.max_compaction_lag_ms = values.long_of("max.compaction.lag.ms");
}

void read_segments(const Values& values, TopicConfig& config) {
  config.segment_bytes = values.int_of("segment.bytes");
  if (const auto bytes = values.text("internal.segment.bytes"))
    config.segment_bytes = number<std::int32_t>(*bytes);
  config.segment_ms = values.long_of("segment.ms");
  config.segment_jitter_ms = values.long_of("segment.jitter.ms");
  config.segment_index_bytes = values.int_of("segment.index.bytes");
  config.index_interval_bytes = values.int_of("index.interval.bytes");
}

void read_batches(const Values& values, TopicConfig& config) {
  config.max_message_bytes = values.int_of("max.message.bytes");
  config.max_decompressed_message_bytes = values.int_of("max.decompressed.message.bytes");
  config.timestamp_type = values.required("message.timestamp.type") == "LogAppendTime"
                              ? record::TimestampType::kLogAppendTime
                              : record::TimestampType::kCreateTime;
  config.timestamp_before_max_ms = values.long_of("message.timestamp.before.max.ms");
  config.timestamp_after_max_ms = values.long_of("message.timestamp.after.max.ms");
  config.compression = record::codec_from_name(values.required("compression.type"));
  if (config.compression) config.compression_level = level_of(values, *config.compression);
}

ThrottledReplicas throttled(const Values& values, std::string_view key) {
  return ThrottledReplicas::parse(values.required(key)).value_or(ThrottledReplicas());
}

}  // namespace

TopicConfig TopicConfig::resolve(const Overrides& overrides, const BrokerLayers& layers) {
  const Values values(overrides, layers);
  TopicConfig config;
  config.durability = durability_of(values.required("moldau.durability"));
  read_retention(values, config);
  read_segments(values, config);
  read_batches(values, config);
  config.min_insync_replicas = values.int_of("min.insync.replicas");
  config.unclean_leader_election_enable = values.bool_of("unclean.leader.election.enable");
  config.leader_throttled = throttled(values, "leader.replication.throttled.replicas");
  config.follower_throttled = throttled(values, "follower.replication.throttled.replicas");
  const Def* expiration = find(Resource::kBroker, "producer.id.expiration.ms");
  config.producer_id_expiration_ms =
      number<std::int64_t>(parsed_or_default(*expiration, layers.value(expiration->name)));
  return config;
}

record::ValidateOptions TopicConfig::validate_options(std::int16_t produce_version,
                                                      base::WallMs now) const {
  return {.produce_version = produce_version,
          .now = now,
          .compacted = compacts,
          .timestamp_type = timestamp_type,
          .timestamp_before_max_ms = timestamp_before_max_ms,
          .timestamp_after_max_ms = timestamp_after_max_ms,
          .batch_bytes_max = max_message_bytes,
          .segment_bytes = segment_bytes,
          .decompressed_bytes_max = max_decompressed_message_bytes,
          .codec = compression,
          .level = compression_level};
}

}  // namespace config
