#include "controller/node/liveness.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace controller {

Liveness::Liveness(io::Executor& executor, Config config, Expired expired)
    : executor_(executor), config_(config), expired_(std::move(expired)) {
  timer_.on_fire([this] { fire(); });
}

void Liveness::lead(const meta::Image& image) {
  leading_ = true;
  sessions_.clear();
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->heartbeats && !broker->fenced) open(id);
  }
  arm();
}

void Liveness::follow() {
  leading_ = false;
  sessions_.clear();
  timer_.cancel();
}

Liveness::Session& Liveness::open(base::BrokerId broker) {
  Session& session = sessions_[broker];
  session = Session();
  session.deadline = executor_.now() + config_.session_timeout;
  return session;
}

void Liveness::heard(base::BrokerId broker, std::int64_t applied_offset) {
  if (!leading_) return;
  Session& session = sessions_[broker];
  session.deadline = executor_.now() + config_.session_timeout;
  session.suspect.reset();
  session.heard = executor_.now();
  session.applied = std::max(session.applied, applied_offset);
  arm();
}

void Liveness::registered(base::BrokerId broker) {
  if (!leading_) return;
  open(broker);
  arm();
}

void Liveness::shutting_down(base::BrokerId broker, std::int64_t offset) {
  if (auto found = sessions_.find(broker); found != sessions_.end()) {
    found->second.shutdown_offset = offset;
  }
}

void Liveness::forget(base::BrokerId broker) { sessions_.erase(broker); }

void Liveness::stream_up(base::BrokerId broker) {
  ++streams_[broker];
  if (auto found = sessions_.find(broker); found != sessions_.end()) found->second.suspect.reset();
}

void Liveness::stream_down(base::BrokerId broker, bool leaving) {
  auto streams = streams_.find(broker);
  if (streams == streams_.end() || --streams->second > 0) return;
  streams_.erase(streams);
  auto found = sessions_.find(broker);
  if (found == sessions_.end()) return;
  found->second.suspect =
      executor_.now() + (leaving ? base::Duration::zero() : config_.suspect_timeout);
  arm();
}

bool Liveness::alive(base::BrokerId broker) const {
  auto found = sessions_.find(broker);
  return found != sessions_.end() && found->second.heard && streams_.contains(broker) &&
         executor_.now() < *found->second.heard + config_.session_timeout;
}

std::int64_t Liveness::applied(base::BrokerId broker) const {
  auto found = sessions_.find(broker);
  return found == sessions_.end() ? -1 : found->second.applied;
}

std::int64_t Liveness::shutdown_offset(base::BrokerId broker) const {
  auto found = sessions_.find(broker);
  return found == sessions_.end() ? -1 : found->second.shutdown_offset;
}

std::optional<base::Instant> Liveness::last_heard(base::BrokerId broker) const {
  auto found = sessions_.find(broker);
  return found == sessions_.end() ? std::nullopt : found->second.heard;
}

void Liveness::arm() {
  auto wake = base::Instant::max();
  for (const auto& [id, session] : sessions_) {
    wake = std::min({wake, session.deadline, session.suspect.value_or(base::Instant::max())});
  }
  if (wake == base::Instant::max()) return timer_.cancel();
  if (!timer_.is_set() || timer_.deadline() != wake) executor_.timers().set(timer_, wake);
}

void Liveness::fire() {
  std::vector<std::pair<base::BrokerId, End>> ended;
  for (const auto& [id, session] : sessions_) {
    if (session.suspect && *session.suspect <= executor_.now()) {
      ended.emplace_back(id, End::kBroken);
    } else if (session.deadline <= executor_.now()) {
      ended.emplace_back(id, End::kSilent);
    }
  }
  for (const auto& [id, how] : ended) sessions_.erase(id);
  arm();
  for (const auto& [id, how] : ended) expired_(id, how);
}

}  // namespace controller
