// The log.cleaner.* configs in force on a broker: how it compacts logs. A value.
#pragma once

#include <cstdint>

#include "common/config/broker_config.h"

namespace config {

struct CleanerConfig {
  bool enable = true;
  std::int32_t threads = 1;
  std::int64_t dedupe_buffer_bytes = 128 << 20;  // of all threads together
  double buffer_load_factor = 0.9;
  double io_bytes_per_second_max = 0;  // read and written, all threads together
  std::int64_t backoff_ms = 15'000;

  static CleanerConfig resolve(const BrokerLayers& layers);
};

}  // namespace config
