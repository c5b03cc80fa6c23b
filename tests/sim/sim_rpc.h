// io::Rpc between simulated processes: delay, loss of a call or of its reply, cuts, servers that
// are not there. Streams keep their order and break when either side goes or is cut off. Everything
// happens in the world's events, so runs repeat.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/io/rpc.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace sim {

class SimRpc {
 public:
  explicit SimRpc(World& world);
  ~SimRpc();

  // The endpoint of a server process; goes with the process.
  std::unique_ptr<io::RpcServer> serve(const std::string& address, SimExecutor& executor);
  // A client in process `from`; its callbacks come on `executor`.
  std::unique_ptr<io::RpcClient> connect(const std::string& from, const std::string& address,
                                         SimExecutor& executor);

  struct Faults {
    base::Duration delay_min = std::chrono::microseconds(50);
    base::Duration delay_max = std::chrono::microseconds(500);
    std::uint32_t lost_percent = 0;  // of calls, and of replies
  };
  Faults faults;
  // Nothing passes between the two; open streams break.
  void cut(const std::string& a, const std::string& b);
  // Nothing passes from the one to the other; streams between them break, as they need both ways.
  void cut_one_way(const std::string& from, const std::string& to);
  void heal();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace sim
