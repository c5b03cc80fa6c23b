#include "tests/sim/sim_executor.h"

#include <utility>

namespace sim {

SimExecutor::SimExecutor(World& world, std::string_view name)
    : world_(world), random_(world.random(name)), self_(std::make_shared<SimExecutor*>(this)) {
  world_.after_each([self = self_] {
    if (*self) (*self)->arm();
  });
}

SimExecutor::~SimExecutor() {
  kill();
  *self_ = nullptr;
}

void SimExecutor::post(Work work) { schedule(base::Duration(0), std::move(work)); }

void SimExecutor::schedule(base::Duration delay, Work work) {
  if (killed_) return;
  const std::uint64_t id = ++next_id_;
  waiting_.emplace(id, std::move(work));
  world_.after(delay, [self = self_, id] {
    if (*self) (*self)->run(id);
  });
}

void SimExecutor::run(std::uint64_t id) {
  if (frozen_) return due_.push_back(id);
  auto node = waiting_.extract(id);
  if (!node.empty()) node.mapped()();
}

void SimExecutor::thaw() {
  frozen_ = false;
  for (const std::uint64_t id : std::exchange(due_, {})) {
    world_.after({}, [self = self_, id] {
      if (*self) (*self)->run(id);
    });
  }
}

void SimExecutor::blocking(Work work, Work done) {
  const auto takes = base::Duration(random_.between(blocking_min.count(), blocking_max.count()));
  schedule(takes, [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    // Its own event: a crash may fall between the two.
    post(std::move(done));
  });
}

void SimExecutor::arm() {
  if (killed_ || frozen_) return;
  const auto next = timers_.next_deadline();
  if (!next || (armed_ && *armed_ <= std::max(*next, world_.now()))) return;
  // The wheel names a lower bound; a turn that fires nothing must not repeat at one instant.
  const auto when = *next > world_.now() ? *next : world_.now() + std::chrono::milliseconds(1);
  if (armed_ && *armed_ <= when) return;
  armed_ = when;
  world_.at(when, [self = self_, when] {
    SimExecutor* executor = *self;
    if (!executor || executor->killed_ || executor->armed_ != when) return;
    executor->armed_.reset();
    if (executor->frozen_) return;
    executor->timers_.advance(executor->world_.now());
  });
}

void SimExecutor::kill() {
  killed_ = true;
  // Destructors may post; that is dropped.
  auto waiting = std::exchange(waiting_, {});
  waiting.clear();
}

}  // namespace sim
