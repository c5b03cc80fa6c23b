#include "broker/node/recent_losses.h"

#include <cerrno>

namespace broker {

void RecentLosses::failed(base::BrokerId leader, const io::IoError& error, base::Instant now) {
  if (error.code != ECONNRESET && error.code != ECONNREFUSED && error.code != EPIPE) return;
  std::lock_guard lock(mutex_);
  lost_.emplace(leader, now);
  any_ = true;
}

void RecentLosses::heard(base::BrokerId leader) {
  if (!any_.load(std::memory_order_relaxed)) return;
  std::lock_guard lock(mutex_);
  lost_.erase(leader);
  any_ = !lost_.empty();
}

void RecentLosses::on_change(const meta::Image& before, const meta::Image& after,
                             const meta::Delta& delta) {
  if (delta.brokers.empty()) return;
  std::lock_guard lock(mutex_);
  for (const base::BrokerId id : delta.brokers) {
    const meta::Broker* was = before.broker(id);
    const meta::Broker* is = after.broker(id);
    // Fenced, another process under its name, or nobody: what was doubted is decided.
    const bool is_another = was != nullptr && is != nullptr && was->epoch != is->epoch;
    if (is == nullptr || is->fenced || is_another) lost_.erase(id);
  }
  any_ = !lost_.empty();
}

bool RecentLosses::doubted(base::BrokerId leader, base::Instant now) const {
  if (!any_.load(std::memory_order_relaxed)) return false;
  std::lock_guard lock(mutex_);
  const auto at = lost_.find(leader);
  return at != lost_.end() && now < at->second + kDoubt;
}

}  // namespace broker
