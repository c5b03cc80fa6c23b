// How long something may still take, by the machine's steady clock.
#pragma once

#include <algorithm>
#include <chrono>

namespace cli {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::milliseconds wait) { return Deadline(Clock::now() + wait); }

  std::chrono::milliseconds left() const {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
    return std::max(left, std::chrono::milliseconds(0));
  }
  bool passed() const { return Clock::now() >= at_; }
  // The earlier of this one and `wait` from now.
  Deadline within(std::chrono::milliseconds wait) const {
    return Deadline(std::min(at_, Clock::now() + wait));
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace cli
