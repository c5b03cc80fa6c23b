// The settings the transaction coordinator obeys, under Kafka's names and defaults.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/time.h"

namespace broker::txn {

struct Config {
  std::int32_t timeout_ms_max = 900'000;                   // transaction.max.timeout.ms
  base::Duration expiration = std::chrono::hours(24 * 7);  // transactional.id.expiration.ms
  // transaction.abort.timed.out.transaction.cleanup.interval.ms
  base::Duration timeout_check = std::chrono::seconds(10);
  // transaction.remove.expired.transaction.cleanup.interval.ms
  base::Duration expiration_check = std::chrono::hours(1);
  // max.message.bytes of __transaction_state: no batch of ours may be larger.
  std::size_t batch_bytes_max = 1'048'588;
};

}  // namespace broker::txn
