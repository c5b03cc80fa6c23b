// Time as values: pure code receives it, only shells and the simulator read or make it.
#pragma once

#include <chrono>
#include <cstdint>

namespace base {

using Duration = std::chrono::nanoseconds;

// The clock that only moves forward. Its epoch means nothing; only differences do.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
using Instant = Monotonic::time_point;

// Wall-clock milliseconds since 1970 UTC, as records carry them. May jump; never used for safety.
using WallMs = std::int64_t;

}  // namespace base
