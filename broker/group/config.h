// The settings the group coordinator obeys, under Kafka's names and defaults.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/base/time.h"

namespace broker::group {

struct Config {
  base::Duration session_timeout_min = std::chrono::seconds(6);   // group.min.session.timeout.ms
  base::Duration session_timeout_max = std::chrono::minutes(30);  // group.max.session.timeout.ms
  base::Duration initial_rebalance_delay =
      std::chrono::seconds(3);                     // group.initial.rebalance.delay.ms
  std::int32_t group_size_max = 2'147'483'647;     // group.max.size
  std::int32_t offset_metadata_bytes_max = 4'096;  // offset.metadata.max.bytes
  base::Duration offsets_retention = std::chrono::hours(24 * 7);  // offsets.retention.minutes
  base::Duration offsets_retention_check =
      std::chrono::minutes(10);  // offsets.retention.check.interval.ms
  // max.message.bytes of __consumer_offsets: no batch of ours may be larger.
  std::size_t batch_bytes_max = 1'048'588;
  // A member that waits in its first JoinGroup cannot send heartbeats, and its broken connection
  // cannot be seen: after this long without a rebalance it is dropped and has to ask again.
  base::Duration new_member_join_timeout = std::chrono::minutes(5);
};

}  // namespace broker::group
