#include "broker/node/recent_losses.h"

#include <cerrno>

namespace broker {

void RecentLosses::count() { any_ = !lost_.empty() || !fenced_.empty(); }

void RecentLosses::failed(base::BrokerId leader, const io::IoError& error, base::Instant now) {
  if (error.code != ECONNRESET && error.code != ECONNREFUSED && error.code != EPIPE) return;
  std::lock_guard lock(mutex_);
  lost_.emplace(leader, now);
  count();
}

void RecentLosses::heard(base::BrokerId leader) {
  if (!any_.load(std::memory_order_relaxed)) return;
  std::lock_guard lock(mutex_);
  lost_.erase(leader);
  count();
}

void RecentLosses::on_change(const meta::Image& before, const meta::Image& after,
                             const meta::Delta& delta, base::Instant now) {
  if (delta.brokers.empty()) return;
  std::lock_guard lock(mutex_);
  std::erase_if(fenced_, [now](const auto& each) { return each.second + kFarewell <= now; });
  for (const base::BrokerId id : delta.brokers) {
    const meta::Broker* was = before.broker(id);
    const meta::Broker* is = after.broker(id);
    // Fenced, another process under its name, or nobody: what was doubted is decided.
    const bool is_another = was != nullptr && is != nullptr && was->epoch != is->epoch;
    if (is == nullptr || is->fenced || is_another) lost_.erase(id);
    if (is == nullptr || !is->fenced) {
      fenced_.erase(id);
    } else if (was != nullptr && !was->fenced) {
      fenced_[id] = now;
    }
  }
  count();
}

bool RecentLosses::doubted(base::BrokerId leader, base::Instant now) const {
  if (!any_.load(std::memory_order_relaxed)) return false;
  std::lock_guard lock(mutex_);
  const auto at = lost_.find(leader);
  return at != lost_.end() && now < at->second + kDoubt;
}

bool RecentLosses::fenced_lately(base::BrokerId broker, base::Instant now) const {
  if (!any_.load(std::memory_order_relaxed)) return false;
  std::lock_guard lock(mutex_);
  const auto at = fenced_.find(broker);
  return at != fenced_.end() && now < at->second + kFarewell;
}

}  // namespace broker
