// Seam: the time of day and of the machine. Thread-safe. Real: host/system_clock; simulated:
// tests/sim/sim_clock.
#pragma once

#include "common/base/time.h"

namespace io {

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes backwards.
  virtual base::Instant now() const = 0;
  // What record timestamps are compared with. May jump either way.
  virtual base::WallMs wall_ms() const = 0;
};

}  // namespace io
