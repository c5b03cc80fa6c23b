// SIGINT, SIGTERM and SIGHUP as events of a reactor (signalfd); SIGPIPE is ignored.
#pragma once

#include <functional>

#include "common/host/reactor.h"

namespace host {

// Call first in main(), before any thread exists: they all inherit the mask.
void block_signals();

class Signals {
 public:
  // `on_signal(number)` runs on the reactor's thread. Make it before the reactor runs.
  Signals(Reactor& reactor, std::function<void(int)> on_signal);
  ~Signals();  // after the reactor has stopped
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  Reactor& reactor_;
  int descriptor_ = -1;
};

}  // namespace host
