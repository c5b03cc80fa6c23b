// io::Clock of a simulated machine: the world's time, with a wall clock that may be set off and
// drift.
#pragma once

#include "common/io/clock.h"
#include "tests/sim/world.h"

namespace sim {

class SimClock final : public io::Clock {
 public:
  explicit SimClock(const World& world) : world_(world) {}

  base::Instant now() const override { return world_.now(); }
  base::WallMs wall_ms() const override {
    const auto since = world_.now().time_since_epoch();
    return kStart + wall_offset +
           std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  }

  // Milliseconds that this machine's wall clock is ahead; a jump when changed.
  base::WallMs wall_offset = 0;

 private:
  static constexpr base::WallMs kStart = 1'700'000'000'000;
  const World& world_;
};

}  // namespace sim
