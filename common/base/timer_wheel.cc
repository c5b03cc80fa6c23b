#include "common/base/timer_wheel.h"

#include <bit>

#include "common/base/check.h"

namespace base {
namespace {
constexpr std::int64_t kTickNs = 1'000'000;
}

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel() = default;

TimerWheel::~TimerWheel() {
  for (List& list : slots_) {
    while (list.first != nullptr) unlink(*list.first);
  }
}

std::uint64_t TimerWheel::tick_of(Instant at) {
  const auto ns = at.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>((ns + kTickNs - 1) / kTickNs);
}

void TimerWheel::link(List& list, Timer& timer) {
  timer.previous_ = list.last;
  timer.next_ = nullptr;
  (list.last != nullptr ? list.last->next_ : list.first) = &timer;
  list.last = &timer;
}

void TimerWheel::set(Timer& timer, Instant deadline) {
  timer.cancel();
  timer.wheel_ = this;
  timer.deadline_ = deadline;
  timer.tick_ = std::max(tick_of(deadline), current_);
  const std::size_t slot = timer.tick_ % kSlots;
  link(slots_[slot], timer);
  occupied_[slot / 64] |= 1ULL << (slot % 64);
  ++size_;
}

void TimerWheel::unlink(Timer& timer) {
  CHECK(timer.wheel_ == this);
  const std::size_t slot = timer.tick_ % kSlots;
  List& list = slots_[slot];
  (timer.previous_ != nullptr ? timer.previous_->next_ : list.first) = timer.next_;
  (timer.next_ != nullptr ? timer.next_->previous_ : list.last) = timer.previous_;
  if (list.first == nullptr) occupied_[slot / 64] &= ~(1ULL << (slot % 64));
  timer.wheel_ = nullptr;
  timer.previous_ = timer.next_ = nullptr;
  --size_;
}

std::size_t TimerWheel::advance(Instant now) {
  const auto ns = now.time_since_epoch().count();
  const std::uint64_t due = ns < 0 ? 0 : static_cast<std::uint64_t>(ns / kTickNs);
  std::size_t fired = 0;
  while (current_ <= due) {
    if (size_ == 0) {
      current_ = due + 1;
      break;
    }
    const std::size_t slot = current_ % kSlots;
    if ((occupied_[slot / 64] >> (slot % 64)) == 0) {
      current_ += 64 - slot % 64;  // nothing set in the rest of this word
      current_ = std::min(current_, due + 1);
      continue;
    }
    // Firing may set timers for this very tick: they land at the end of the list and fire too.
    for (Timer* timer = slots_[slot].first; timer != nullptr;) {
      if (timer->tick_ > current_) {
        timer = timer->next_;
        continue;
      }
      unlink(*timer);
      ++fired;
      auto fire = timer->fire_;  // a copy: the call may destroy its timer
      fire();
      timer = slots_[slot].first;  // the list may have changed in any way
    }
    ++current_;
  }
  return fired;
}

std::optional<Instant> TimerWheel::next_deadline() const {
  if (size_ == 0) return std::nullopt;
  // The first occupied slot from the current one on: a lower bound, as its timers may belong to a
  // later turn of the wheel.
  for (std::uint64_t step = 0; step < kSlots;) {
    const std::size_t slot = (current_ + step) % kSlots;
    const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word != 0) {
      const auto tick = current_ + step + static_cast<std::uint64_t>(std::countr_zero(word));
      return Instant(Duration(static_cast<std::int64_t>(tick) * kTickNs));
    }
    step += 64 - slot % 64;
  }
  CHECK(false);
}

}  // namespace base
