// The configuration in force of one topic, typed: its overrides over the brokers' values over the
// defaults. An immutable value, shared by those who use it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/config/broker_config.h"
#include "common/config/def.h"
#include "common/config/throttled_replicas.h"
#include "common/record/validate.h"

namespace config {

// moldau.durability: when a record counts as written.
enum class Durability : std::uint8_t {
  kFsync,       // once it is flushed, together with others (group commit)
  kInterval,    // at once; flushed at most 100 ms or 256 KiB later
  kReplicated,  // at once; the page cache of several brokers keeps it, as in Kafka
};

struct TopicConfig {
  Durability durability = Durability::kFsync;

  bool deletes = true;  // cleanup.policy has delete
  bool compacts = false;
  std::int64_t retention_ms = 604'800'000;  // -1: for ever
  std::int64_t retention_bytes = -1;        // -1: without bound
  std::int64_t delete_retention_ms = 86'400'000;
  std::int64_t file_delete_delay_ms = 60'000;
  double min_cleanable_dirty_ratio = 0.5;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = INT64_MAX;

  std::int32_t segment_bytes = 1'073'741'824;
  std::int64_t segment_ms = 604'800'000;
  std::int64_t segment_jitter_ms = 0;
  std::int32_t segment_index_bytes = 10'485'760;
  std::int32_t index_interval_bytes = 4'096;

  std::int32_t max_message_bytes = 1'048'588;
  std::int32_t max_decompressed_message_bytes = 33'554'432;
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;
  std::int64_t timestamp_before_max_ms = INT64_MAX;
  std::int64_t timestamp_after_max_ms = 3'600'000;
  std::optional<record::Codec> compression;  // nothing: as the producer sent it
  record::Level compression_level;           // of `compression`

  std::int32_t min_insync_replicas = 1;
  bool unclean_leader_election_enable = false;

  ThrottledReplicas leader_throttled;    // on brokers that lead these partitions
  ThrottledReplicas follower_throttled;  // on brokers that copy them

  std::int64_t producer_id_expiration_ms = 86'400'000;  // the broker's

  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;

  // Overrides that validate() would refuse are passed over: they were written by another release.
  static TopicConfig resolve(const Overrides& overrides, const BrokerLayers& layers);

  // How a batch for this topic is to be checked.
  record::ValidateOptions validate_options(std::int16_t produce_version, base::WallMs now) const;
};

}  // namespace config
