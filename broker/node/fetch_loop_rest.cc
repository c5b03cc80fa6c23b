// FetchLoop: the part about partitions in trouble, which rest and come back by themselves.
#include <algorithm>
#include <utility>

#include "broker/node/fetch_loop.h"

namespace broker {

void FetchLoop::rest(Items::iterator at, const std::string& why) {
  Item& item = at->second;
  forget(at);
  const std::uint32_t doublings = std::min<std::uint32_t>(item.failures++, 16);
  const base::Duration delay =
      std::min<base::Duration>(options_.rest_first * (1LL << doublings), options_.rest_most);
  item.state = Item::State::kResting;
  item.rest_until =
      executor_.now() + delay + base::Duration(random_.between(0, delay.count() / 4 + 1));
  resting_.insert({item.rest_until, at->first});
  arm_rest();
  if (why.empty()) return;
  diag_.warn("replicator", "a partition cannot be copied from its leader",
             {{"partition", item.follower->name()},
              {"leader", std::to_string(options_.leader.value())},
              {"error", why}});
}

void FetchLoop::end_rests() {
  while (!resting_.empty() && resting_.begin()->first <= executor_.now()) {
    const FollowKey key = resting_.begin()->second;
    resting_.erase(resting_.begin());
    const auto at = items_.find(key);
    if (at == items_.end()) continue;
    at->second.state = Item::State::kReady;
    dirty_.insert(key);
  }
  arm_rest();
  go_on_soon();
}

void FetchLoop::arm_rest() {
  if (resting_.empty()) return rest_timer_.cancel();
  executor_.timers().set(rest_timer_, resting_.begin()->first);
}

void FetchLoop::drop_wait(Item& item) {
  if (item.state != Item::State::kFlushing) return;
  item.follower->stop_waiting(this);
  if (std::exchange(item.settling, false)) --settling_;
}

FetchLoop::Items::iterator FetchLoop::by_tag(std::uint64_t tag) {
  const auto found = tags_.find(tag);
  return found == tags_.end() ? items_.end() : items_.find(found->second);
}

}  // namespace broker
