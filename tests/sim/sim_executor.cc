#include "tests/sim/sim_executor.h"

#include <algorithm>
#include <utility>

namespace sim {

SimExecutor::SimExecutor(World& world, std::string_view name)
    : world_(world), id_(world.join(*this)), random_(world.random(name)) {}

SimExecutor::~SimExecutor() {
  kill();
  world_.leave(id_);
}

void SimExecutor::post(Work work) { at(world_.now(), std::move(work)); }

void SimExecutor::at(base::Instant when, Work work) {
  if (killed_) return;
  std::uint32_t place;
  if (free_.empty()) {
    place = static_cast<std::uint32_t>(waiting_.size());
    waiting_.push_back(std::move(work));
  } else {
    place = free_.back();
    free_.pop_back();
    waiting_[place] = std::move(work);
  }
  world_.at(when, id_, place);
}

void SimExecutor::run(std::uint32_t what) {
  if (killed_) return;
  ++ran_;
  if (what == kTurn) return turn();
  if (frozen_) return due_.push_back(what);
  Work work = std::move(waiting_[what]);
  waiting_[what] = nullptr;
  free_.push_back(what);
  work();
}

void SimExecutor::thaw() {
  frozen_ = false;
  for (const std::uint32_t place : std::exchange(due_, {})) world_.at(world_.now(), id_, place);
  touch();
}

void SimExecutor::blocking(Work work, Work done) {
  const auto takes = base::Duration(random_.between(blocking_min.count(), blocking_max.count()));
  at(world_.now() + takes, [this, work = std::move(work), done = std::move(done)]() mutable {
    work();
    // Its own event: a crash may fall between the two.
    post(std::move(done));
  });
}

void SimExecutor::settle() {
  touched_ = false;
  if (!runs()) return;
  const auto next = timers_.next_deadline();
  if (!next || (armed_ && *armed_ <= std::max(*next, world_.now()))) return;
  // The wheel names a lower bound; a turn that fires nothing must not repeat at one instant.
  const auto when = *next > world_.now() ? *next : world_.now() + std::chrono::milliseconds(1);
  if (armed_ && *armed_ <= when) return;
  armed_ = when;
  world_.at(when, id_, kTurn);
}

void SimExecutor::turn() {
  if (armed_ != world_.now()) return;  // an earlier one was set meanwhile
  armed_.reset();
  if (frozen_) return;
  touch();
  timers_.advance(world_.now());
}

void SimExecutor::kill() {
  killed_ = true;
  // Destructors may post; that is dropped.
  auto waiting = std::exchange(waiting_, {});
  waiting.clear();
}

}  // namespace sim
