// What belongs to one reactor of the broker: its executor, its place in the row and its counters.
// Only its own thread touches it, except for the counters, which metrics read with relaxed loads.
#pragma once

#include <list>
#include <memory>

#include "common/base/random.h"
#include "common/io/executor.h"
#include "common/io/net.h"

namespace broker {

struct ReactorStats;
class FetchSessions;
class ClientSessions;

struct Reactor {
  std::uint32_t index = 0;
  io::Executor& executor;
  io::Net& net;
  std::unique_ptr<ReactorStats> stats;
  std::unique_ptr<FetchSessions> fetch_sessions;
  std::unique_ptr<ClientSessions> client_sessions;

  // Runs `work` on the reactor a little later. Its own thread; what still waits when the reactor
  // goes is dropped.
  void after(base::Duration delay, io::Executor::Work work);

  Reactor(std::uint32_t number, io::Executor& runs, io::Net& connects, base::Random random,
          std::size_t fetch_sessions_max);
  ~Reactor();

 private:
  struct Delayed;
  std::list<std::unique_ptr<Delayed>> delayed_;
};

}  // namespace broker
