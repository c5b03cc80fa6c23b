// io::Net between simulated machines: byte streams with delay, cuts, resets and a receive window,
// so that a reader that pauses stops its peer. What is sent arrives in pieces of random size, as
// from a real network.
#pragma once

#include <memory>
#include <string>

#include "common/io/net.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace sim {

// All machines' network. Outlives the SimNets made from it.
class SimNetwork {
 public:
  explicit SimNetwork(World& world);
  ~SimNetwork();

  struct Faults {
    base::Duration delay_min = std::chrono::microseconds(50);
    base::Duration delay_max = std::chrono::microseconds(500);
  };
  Faults faults;
  // Nothing arrives between the two hosts until heal(); what was sent waits, as with TCP.
  void cut(const std::string& a, const std::string& b);
  void cut_one_way(const std::string& from, const std::string& to);
  void heal();
  // Ends every connection between the two at once.
  void reset(const std::string& a, const std::string& b);

  // The network of one process on `host`; its connections end (as by a reset) when it is destroyed.
  std::unique_ptr<io::Net> join(const std::string& host, SimExecutor& executor);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace sim
