// Timers for one thread: an intrusive hierarchical wheel (Varghese & Lauck 1987), O(1) to set and
// cancel. Ticks are one millisecond. Timers of the current block of 4,096 ticks have a slot per
// tick; later ones a slot per block, and are spread when their block begins: so a thread that waits
// for next_deadline() is not woken for timers that are far away. Pure: the owner tells the time.
// The wheel does not own timers; a Timer cancels itself when destroyed.
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
  bool is_near_ = false;
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
  static constexpr std::size_t kTicksPerBlock = 4096;
  static constexpr std::size_t kFarBlocks = 512;  // 35 minutes; later ones share the slots

  struct List {
    Timer* first = nullptr;
    Timer* last = nullptr;
  };
  template <std::size_t kSlots>
  struct Ring {
    std::array<List, kSlots> slots;
    std::array<std::uint64_t, kSlots / 64> occupied{};

    void append(std::size_t slot, Timer& timer);
    void unlink(std::size_t slot, Timer& timer);
    // Steps from `slot` to the next occupied one, itself included, around the ring; kSlots if none.
    std::size_t steps_to_occupied(std::size_t slot) const;
  };
  void place(Timer& timer);
  void unlink(Timer& timer);
  void spread();  // the timers of the current block, from the far ring into the near one
  void fire_slot(std::size_t slot, std::size_t& fired);
  static std::uint64_t tick_of(Instant at);  // rounds up

  Ring<kTicksPerBlock> near_;  // by tick; only of block_
  Ring<kFarBlocks> far_;       // by block; only of later blocks
  std::uint64_t current_ = 0;  // every tick below it has fired
  std::uint64_t block_ = 0;    // the last block that was spread
  std::size_t near_size_ = 0;
  std::size_t size_ = 0;
};

}  // namespace base
