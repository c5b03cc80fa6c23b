// FetchLoop: the part about partitions that rest, as they are in trouble or throttled, and come
// back by themselves.
#include <algorithm>
#include <utility>

#include "broker/node/fetch_loop.h"

namespace broker {
namespace {

// At least, so that what may be asked for is worth a request.
constexpr base::Duration kThrottlePause = std::chrono::milliseconds(10);

}  // namespace

void FetchLoop::rest(Items::iterator at, const std::string& why) {
  Item& item = at->second;
  forget(at);
  const std::uint32_t doublings = std::min<std::uint32_t>(item.failures++, 16);
  const base::Duration delay =
      std::min<base::Duration>(options_.rest_first * (1LL << doublings), options_.rest_most);
  item.state = Item::State::kResting;
  item.held_back = false;
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

// True when the throttle lets nothing through at present: then the partition rests until it does.
bool FetchLoop::hold_back(Items::iterator at) {
  if (options_.throttle == nullptr || options_.throttle->left(executor_.now()) > 0) return false;
  Item& item = at->second;
  forget(at);
  item.state = Item::State::kResting;
  item.held_back = true;
  item.rest_until = executor_.now() + options_.throttle->wait(executor_.now()) + kThrottlePause;
  resting_.insert({item.rest_until, at->first});
  arm_rest();
  return true;
}

// A poll under way is not given up for what was held back: there is no hurry.
void FetchLoop::end_rests() {
  bool in_a_hurry = phase_ != Phase::kAsking;
  while (!resting_.empty() && resting_.begin()->first <= executor_.now()) {
    const FollowKey key = resting_.begin()->second;
    resting_.erase(resting_.begin());
    const auto at = items_.find(key);
    if (at == items_.end()) continue;
    at->second.state = Item::State::kReady;
    dirty_.insert(key);
    if (!std::exchange(at->second.held_back, false)) in_a_hurry = true;
  }
  arm_rest();
  if (in_a_hurry) go_on_soon();
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
