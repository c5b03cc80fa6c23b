#include "broker/node/replication_throttle.h"

namespace broker {

void ReplicationThrottle::set_bound(std::optional<std::int64_t> bytes_per_second) {
  std::lock_guard lock(mutex_);
  quota_.set_bound(bytes_per_second);
  bounded_ = bytes_per_second.has_value();
}

std::int64_t ReplicationThrottle::left(base::Instant now) {
  if (!bounded_) return INT64_MAX;
  std::lock_guard lock(mutex_);
  return quota_.left(now);
}

base::Duration ReplicationThrottle::wait(base::Instant now) {
  if (!bounded_) return base::Duration::zero();
  std::lock_guard lock(mutex_);
  return quota_.wait(now);
}

void ReplicationThrottle::record(std::int64_t bytes, base::Instant now) {
  bytes_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  if (!bounded_) return;
  std::lock_guard lock(mutex_);
  quota_.record(bytes, now);
}

}  // namespace broker
