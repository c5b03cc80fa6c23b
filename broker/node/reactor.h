// What belongs to one reactor of the broker: its executor, its place in the row and its counters.
// Only its own thread touches it, except for the counters, which metrics read with relaxed loads.
#pragma once

#include <memory>

#include "common/base/random.h"
#include "common/io/executor.h"
#include "common/io/net.h"

namespace broker {

struct ReactorStats;
class FetchSessions;

struct Reactor {
  std::uint32_t index = 0;
  io::Executor& executor;
  io::Net& net;
  std::unique_ptr<ReactorStats> stats;
  std::unique_ptr<FetchSessions> fetch_sessions;

  Reactor(std::uint32_t number, io::Executor& runs, io::Net& connects, base::Random random,
          std::size_t fetch_sessions_max);
  ~Reactor();
};

}  // namespace broker
