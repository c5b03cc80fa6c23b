// io::Clock over the kernel's clocks. Stateless and thread-safe.
#pragma once

#include "common/io/clock.h"

namespace host {

class SystemClock final : public io::Clock {
 public:
  base::Instant now() const override;     // CLOCK_MONOTONIC
  base::WallMs wall_ms() const override;  // CLOCK_REALTIME
};

}  // namespace host
