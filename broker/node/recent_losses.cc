#include "broker/node/recent_losses.h"

namespace broker {

void RecentLosses::count() { any_ = !lost_.empty() || !fenced_.empty(); }

void RecentLosses::lost(base::BrokerId leader, base::Instant now) {
  std::lock_guard lock(mutex_);
  lost_.emplace(leader, now);
  count();
}

void RecentLosses::heard(base::BrokerId leader) {
  if (!any()) return;
  std::lock_guard lock(mutex_);
  lost_.erase(leader);
  count();
}

void RecentLosses::on_change(const meta::ImagePtr& before, const meta::Image& after,
                             const meta::Delta& delta, base::Instant now) {
  if (delta.brokers.empty() && !any()) return;
  std::lock_guard lock(mutex_);
  // Images are kept no longer than they are needed.
  std::erase_if(fenced_, [now](const auto& each) { return each.second.at + kMoved <= now; });
  for (const base::BrokerId id : delta.brokers) {
    const meta::Broker* was = before->broker(id);
    const meta::Broker* is = after.broker(id);
    const bool is_fenced = is != nullptr && is->fenced;
    if (is_fenced && was != nullptr && !was->fenced) fenced_[id] = {now, after.offset(), before};
    // Another process under its name, or nobody: what was doubted is decided.
    if (is == nullptr || is_fenced || (was != nullptr && was->epoch != is->epoch)) lost_.erase(id);
  }
  count();
}

bool RecentLosses::doubted(base::BrokerId leader, base::Instant now) const {
  std::lock_guard lock(mutex_);
  const auto at = lost_.find(leader);
  return at != lost_.end() && now < at->second + kDoubt;
}

bool RecentLosses::moved_since(base::Offset told, base::Uuid topic, std::size_t partition,
                               base::Instant now) const {
  std::lock_guard lock(mutex_);
  for (const auto& [id, fenced] : fenced_) {
    if (fenced.offset <= told || fenced.at + kMoved <= now) continue;
    const meta::Topic* was = fenced.before->topic(topic);
    if (was == nullptr || partition >= was->partitions.size()) continue;
    if (was->partitions[partition].leader == id) return true;
  }
  return false;
}

}  // namespace broker
