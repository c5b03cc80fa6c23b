#include "broker/log/log_health.h"

namespace broker {

std::optional<io::IoError> LogHealth::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

void LogHealth::fail(const io::IoError& error) {
  std::vector<std::function<void(const io::IoError&)>> listeners;
  {
    std::lock_guard lock(mutex_);
    if (reason_) return;
    reason_ = error;
    failed_.store(true, std::memory_order_release);
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener(error);
}

void LogHealth::on_failure(std::function<void(const io::IoError&)> listener) {
  std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void LogHealth::note_full() {
  if (full_.exchange(true, std::memory_order_acq_rel)) return;
  std::vector<std::function<void()>> listeners;
  {
    std::lock_guard lock(mutex_);
    listeners = full_listeners_;
  }
  for (const auto& listener : listeners) listener();
}

void LogHealth::on_full(std::function<void()> listener) {
  std::lock_guard lock(mutex_);
  full_listeners_.push_back(std::move(listener));
}

}  // namespace broker
