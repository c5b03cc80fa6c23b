// Seam: where code runs. One Executor is one thread (a reactor) in production, and the one event
// loop in the simulator. Everything that is not said to be thread-safe is called on it only.
#pragma once

#include <functional>

#include "common/base/time.h"
#include "common/base/timer_wheel.h"

namespace io {

class Executor {
 public:
  using Work = std::move_only_function<void()>;
  virtual ~Executor() = default;

  // Runs `work` on this executor's thread later, in order of posting. Any thread.
  virtual void post(Work work) = 0;
  // Runs `work` (which may block: fsync, cold read, delete) away from this thread, then `done` on
  // it. `work` must touch nothing that the reactor also touches without a lock. Any thread.
  virtual void blocking(Work work, Work done) = 0;
  // The instant at which the current turn began: stands still within a turn. This thread only.
  virtual base::Instant now() const = 0;
  // This thread only.
  virtual base::TimerWheel& timers() = 0;
  // True on this executor's own thread.
  virtual bool here() const = 0;
};

}  // namespace io
