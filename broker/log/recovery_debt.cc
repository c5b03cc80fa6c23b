#include "broker/log/recovery_debt.h"

namespace broker {

void RecoveryDebt::on_limit(std::function<void()> listener) {
  std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void RecoveryDebt::add(std::uint64_t bytes) {
  const std::uint64_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (before >= limit_ || before + bytes < limit_) return;
  std::lock_guard lock(mutex_);
  if (listener_) listener_();
}

}  // namespace broker
