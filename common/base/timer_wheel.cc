#include "common/base/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "common/base/check.h"

namespace base {
namespace {
constexpr std::int64_t kTickNs = 1'000'000;
}

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

template <std::size_t kSlots>
void TimerWheel::Ring<kSlots>::append(std::size_t slot, Timer& timer) {
  List& list = slots[slot];
  timer.previous_ = list.last;
  timer.next_ = nullptr;
  (list.last != nullptr ? list.last->next_ : list.first) = &timer;
  list.last = &timer;
  occupied[slot / 64] |= 1ULL << (slot % 64);
}

template <std::size_t kSlots>
void TimerWheel::Ring<kSlots>::unlink(std::size_t slot, Timer& timer) {
  List& list = slots[slot];
  (timer.previous_ != nullptr ? timer.previous_->next_ : list.first) = timer.next_;
  (timer.next_ != nullptr ? timer.next_->previous_ : list.last) = timer.previous_;
  timer.previous_ = timer.next_ = nullptr;
  if (list.first == nullptr) occupied[slot / 64] &= ~(1ULL << (slot % 64));
}

template <std::size_t kSlots>
std::size_t TimerWheel::Ring<kSlots>::steps_to_occupied(std::size_t slot) const {
  for (std::size_t steps = 0; steps < kSlots;) {
    const std::size_t at = (slot + steps) % kSlots;
    const std::uint64_t word = occupied[at / 64] >> (at % 64);
    if (word != 0) return steps + static_cast<std::size_t>(std::countr_zero(word));
    steps += 64 - at % 64;
  }
  return kSlots;
}

TimerWheel::TimerWheel() = default;

TimerWheel::~TimerWheel() {
  if (size_ == 0) return;
  for (List& list : near_.slots) {
    while (list.first != nullptr) unlink(*list.first);
  }
  for (List& list : far_.slots) {
    while (list.first != nullptr) unlink(*list.first);
  }
}

std::uint64_t TimerWheel::tick_of(Instant at) {
  const auto ns = at.time_since_epoch().count();
  return ns <= 0 ? 0 : static_cast<std::uint64_t>((ns + kTickNs - 1) / kTickNs);
}

void TimerWheel::set(Timer& timer, Instant deadline) {
  timer.cancel();
  timer.wheel_ = this;
  timer.deadline_ = deadline;
  timer.tick_ = std::max(tick_of(deadline), current_);
  place(timer);
  ++size_;
}

void TimerWheel::place(Timer& timer) {
  const std::uint64_t block = timer.tick_ / kTicksPerBlock;
  CHECK(block >= block_);
  timer.is_near_ = block == block_;
  if (timer.is_near_) {
    near_.append(timer.tick_ % kTicksPerBlock, timer);
    ++near_size_;
  } else {
    far_.append(block % kFarBlocks, timer);
  }
}

void TimerWheel::unlink(Timer& timer) {
  CHECK(timer.wheel_ == this);
  if (timer.is_near_) {
    near_.unlink(timer.tick_ % kTicksPerBlock, timer);
    --near_size_;
  } else {
    far_.unlink(timer.tick_ / kTicksPerBlock % kFarBlocks, timer);
  }
  timer.wheel_ = nullptr;
  --size_;
}

void TimerWheel::spread() {
  block_ = current_ / kTicksPerBlock;
  CHECK(near_size_ == 0);
  const std::size_t slot = block_ % kFarBlocks;
  for (Timer* timer = far_.slots[slot].first; timer != nullptr;) {
    Timer* const next = timer->next_;
    if (timer->tick_ / kTicksPerBlock == block_) {
      far_.unlink(slot, *timer);
      place(*timer);
    }
    timer = next;
  }
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
    if (current_ / kTicksPerBlock != block_) spread();
    const std::size_t slot = current_ % kTicksPerBlock;
    if (near_.slots[slot].first == nullptr) {
      const std::size_t left = kTicksPerBlock - slot;  // of the block
      const std::size_t steps = near_size_ == 0 ? left : near_.steps_to_occupied(slot);
      current_ = std::min(current_ + std::min(steps, left), due + 1);
      continue;
    }
    fire_slot(slot, fired);
    ++current_;
  }
  return fired;
}

// Firing may set timers for this very tick: they land at the end of the list and fire too.
void TimerWheel::fire_slot(std::size_t slot, std::size_t& fired) {
  while (Timer* const timer = near_.slots[slot].first) {
    unlink(*timer);
    ++fired;
    const auto fire = timer->fire_;  // a copy: the call may destroy its timer
    fire();
  }
}

std::optional<Instant> TimerWheel::next_deadline() const {
  if (size_ == 0) return std::nullopt;
  std::uint64_t tick = 0;
  if (near_size_ > 0) {
    tick = current_ + near_.steps_to_occupied(current_ % kTicksPerBlock);
  } else {
    const std::size_t steps = far_.steps_to_occupied((block_ + 1) % kFarBlocks);
    tick = std::max(current_, (block_ + 1 + steps) * kTicksPerBlock);
  }
  return Instant(Duration(static_cast<std::int64_t>(tick) * kTickNs));
}

}  // namespace base
