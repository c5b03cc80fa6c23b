#include "common/host/system_clock.h"

#include <time.h>

namespace host {

base::Instant SystemClock::now() const {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return base::Instant(base::Duration(at.tv_sec * 1'000'000'000LL + at.tv_nsec));
}

base::WallMs SystemClock::wall_ms() const {
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  return at.tv_sec * 1'000LL + at.tv_nsec / 1'000'000;
}

}  // namespace host
