// Timers for one thread: an intrusive hashed wheel (Varghese & Lauck 1987), O(1) to set and cancel.
// Ticks are one millisecond; a deadline further away than one turn waits out the turns. Pure: the
// owner tells the time. The wheel does not own timers; a Timer cancels itself when destroyed.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/time.h"

namespace base {

class TimerWheel;

// One pending call. Lives inside the object that waits; never moves while set.
class Timer {
 public:
  Timer() = default;
  explicit Timer(std::function<void()> fire) : fire_(std::move(fire)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void on_fire(std::function<void()> fire) { fire_ = std::move(fire); }
  bool is_set() const { return wheel_ != nullptr; }
  Instant deadline() const { return deadline_; }
  void cancel();

 private:
  friend class TimerWheel;
  std::function<void()> fire_;
  TimerWheel* wheel_ = nullptr;
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  std::uint64_t tick_ = 0;
  Instant deadline_{};
};

class TimerWheel {
 public:
  TimerWheel();
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Sets or moves `timer`; it fires from the first advance() at or after `deadline`.
  void set(Timer& timer, Instant deadline);
  // Fires everything due, in order of tick, then of setting. Timers may be set and cancelled
  // meanwhile. Returns how many fired.
  std::size_t advance(Instant now);
  // A lower bound of the next deadline, or nothing when no timer is set.
  std::optional<Instant> next_deadline() const;
  std::size_t size() const { return size_; }

 private:
  friend class Timer;
  static constexpr std::size_t kSlots = 4096;
  struct List {
    Timer* first = nullptr;
    Timer* last = nullptr;
  };
  void link(List& list, Timer& timer);
  void unlink(Timer& timer);
  static std::uint64_t tick_of(Instant at);  // rounds up

  std::array<List, kSlots> slots_;
  std::array<std::uint64_t, kSlots / 64> occupied_{};
  std::uint64_t current_ = 0;  // every tick below it has fired
  std::size_t size_ = 0;
};

}  // namespace base
