// What a topic's configuration means to one partition log. A value; changed at run time through
// Log::set_config. Names and defaults are Kafka's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace broker {

struct LogConfig {
  std::uint64_t segment_bytes = std::uint64_t{1} << 30;
  std::int64_t segment_ms = 7LL * 24 * 3600 * 1000;
  // The most that a segment's roll by time may come early; the draw is the log's own.
  std::int64_t segment_jitter_ms = 0;
  std::uint32_t segment_index_bytes = 10 << 20;
  std::uint32_t index_interval_bytes = 4096;
  std::int64_t retention_ms = 7LL * 24 * 3600 * 1000;  // negative: for ever
  std::int64_t retention_bytes = -1;                   // negative: without bound
  std::int64_t file_delete_delay_ms = 60'000;
  std::int64_t max_compaction_lag_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;
  // cleanup.policy; both may hold, and neither keeps records for ever.
  bool deletes = true;
  bool compacted = false;
  // How far the active segment may run ahead of the indexes on disk: bounds what recovery reads.
  std::uint64_t checkpoint_bytes = 64 << 20;

  // What the roll by time compares with: compaction must see old records in time.
  std::int64_t roll_ms() const {
    return compacted ? std::min(segment_ms, max_compaction_lag_ms) : segment_ms;
  }
};

}  // namespace broker
