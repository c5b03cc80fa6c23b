// FetchLoop: the part about what is asked for, and what the session at the leader holds of it.
#include <algorithm>
#include <utility>

#include "broker/node/fetch_loop.h"
#include "common/base/mutant.h"

namespace broker {

wire::FetchRequest FetchLoop::build() {
  wire::FetchRequest request;
  request.replica_state.replica_id = options_.self.value();
  request.replica_state.replica_epoch = options_.self_epoch().value();
  request.max_wait_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.wait_max).count());
  request.min_bytes = options_.bytes_min;
  request.max_bytes = options_.response_bytes_max;
  request.session_id = session_id_;
  asked_in_full_ = session_id_ == 0;
  if (asked_in_full_) {
    request.session_epoch = 0;
    drop_session();
    for (const auto& [key, item] : items_) dirty_.insert(key);
  } else {
    request.session_epoch = session_epoch_;
  }
  add_changed(request);
  add_forgotten(request);
  return request;
}

// Where a partition is to be fetched from; nothing while it cannot be.
std::optional<FetchLoop::Sent> FetchLoop::position(Items::iterator at) {
  Item& item = at->second;
  if (item.state != Item::State::kReady) return std::nullopt;
  const FollowState state = item.follower->follow_state();
  if (!state.following || state.leader != options_.leader) {
    // Its role has changed; the metadata that changed it comes here too.
    rest(at, "");
    return std::nullopt;
  }
  item.throttled = state.throttled;
  if (item.throttled && hold_back(at)) return std::nullopt;
  // Copied before this loop began, or before a break, and not durable yet.
  if (state.fetch_offset < state.end && !MUTANT("repl-fetches-before-flush")) {
    wait_for_flush(at, /*settle=*/false);
    if (item.state != Item::State::kReady) return std::nullopt;
  }
  return Sent{
      .leader_epoch = state.leader_epoch.value(),
      .fetch_offset = state.end.value(),
      .last_fetched_epoch = state.last_fetched_epoch.value_or(base::LeaderEpoch(-1)).value(),
      .log_start = state.log_start.value()};
}

void FetchLoop::add_changed(wire::FetchRequest& request) {
  for (const FollowKey& key : std::exchange(dirty_, {})) {
    const auto at = items_.find(key);
    if (at == items_.end()) continue;
    const auto now = position(at);
    if (!now) {
      forget(at);
      continue;
    }
    forgotten_.erase(key);
    if (at->second.sent == now) continue;
    if (!at->second.sent) ++in_session_;
    at->second.sent = now;
    if (request.topics.empty() || request.topics.back().topic_id != key.topic_id) {
      request.topics.emplace_back().topic_id = key.topic_id;
    }
    auto& out = request.topics.back().partitions.emplace_back();
    out.partition = key.partition;
    out.current_leader_epoch = now->leader_epoch;
    out.fetch_offset = now->fetch_offset;
    out.last_fetched_epoch = now->last_fetched_epoch;
    out.log_start_offset = now->log_start;
    out.partition_max_bytes = options_.partition_bytes_max;
  }
}

void FetchLoop::add_forgotten(wire::FetchRequest& request) {
  for (const FollowKey& key : std::exchange(forgotten_, {})) {
    auto& topics = request.forgotten_topics_data;
    if (topics.empty() || topics.back().topic_id != key.topic_id) {
      topics.emplace_back().topic_id = key.topic_id;
    }
    topics.back().partitions.push_back(key.partition);
  }
}

void FetchLoop::forget(Items::iterator at) {
  if (!at->second.sent) return;
  at->second.sent.reset();
  --in_session_;
  // The answer that is under way may begin a session that holds it.
  const bool begins = phase_ == Phase::kAsking && !MUTANT("repl-keeps-what-it-gave-up");
  if (session_id_ != 0 || begins) forgotten_.insert(at->first);
}

void FetchLoop::drop_session() {
  session_id_ = 0;
  session_epoch_ = 0;
  forgotten_.clear();
  in_session_ = 0;
  for (auto& [key, item] : items_) item.sent.reset();
}

}  // namespace broker
