// What of copying is throttled on this broker (KIP-73): bytes of replicas that the topics' configs
// name and that are not in sync, as a leader and as a follower. Who is in sync is never held back.
// Any thread; without a bound nothing is locked.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "broker/replica/rate_quota.h"
#include "common/config/throttle_rates.h"

namespace broker {

class ReplicationThrottle {
 public:
  void set_bound(std::optional<std::int64_t> bytes_per_second);
  // As RateQuota says. The clocks of several threads may be a little apart.
  std::int64_t left(base::Instant now);
  base::Duration wait(base::Instant now);
  // So many bytes of throttled replicas went through.
  void record(std::int64_t bytes, base::Instant now);
  // All of them so far.
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> bounded_{false};
  std::atomic<std::uint64_t> bytes_{0};
  std::mutex mutex_;
  RateQuota quota_;
};

struct ReplicationThrottles {
  ReplicationThrottle leader;    // of what is sent to followers
  ReplicationThrottle follower;  // of what is asked of leaders
  ReplicationThrottle moves;     // of what is copied between log directories

  void set(const config::ThrottleRates& rates) {
    leader.set_bound(rates.leader);
    follower.set_bound(rates.follower);
    moves.set_bound(rates.moves);
  }
};

}  // namespace broker
