// One simulated machine with one broker of a cluster on it. start() boots the process; crash() ends
// it, with or without the power; stop() is SIGTERM.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_diag.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/world.h"

namespace sim {

class BrokerMachine {
 public:
  BrokerMachine(World& world, SimNetwork& network, SimRpc& rpc, std::int32_t id,
                std::vector<std::int32_t> controllers, std::string rack = "");
  ~BrokerMachine();

  void start();
  void crash(bool power);
  // SIGSTOP and SIGCONT.
  void freeze();
  void thaw();
  bool frozen() const { return executor_ && executor_->frozen(); }
  // The machine comes back with an empty disk: after a loss of power.
  void wipe();
  // One of its two log directories cannot be read or written, until the disk's faults are cleared.
  void lose_directory(bool first);
  // Its wall clock jumps: so far ahead of the world's from now on.
  void skew(base::WallMs ahead) { clock_.wall_offset = ahead; }
  // As SIGTERM: leaders are moved away first.
  void stop();
  bool up() const { return executor_ != nullptr; }
  // Its life, and what ran in it so far: equal ones, and nothing has happened in its process.
  std::pair<int, std::uint64_t> progress() const {
    return {life_, executor_ ? executor_->ran() : 0};
  }
  bool serving() const { return serving_; }
  bool stopping() const { return stopping_; }
  // The process is there but must be restarted: it could not start, or its disk failed.
  bool broken() const;
  broker::Broker* broker() { return broker_.get(); }
  const std::string& host() const { return host_; }
  std::int32_t id() const { return id_; }

  SimDisk disk;
  bool may_fail_to_start = false;

 private:
  void forget();

  World& world_;
  SimNetwork& network_;
  SimRpc& rpc_;
  const std::int32_t id_;
  const std::vector<std::int32_t> controllers_;
  const std::string host_;
  const std::string rack_;  // empty: none
  SimClock clock_;
  SimDiag diag_;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<io::Net> net_;
  std::unique_ptr<io::RpcClient> quorum_;
  std::unique_ptr<broker::Broker> broker_;
  int life_ = 0;
  bool serving_ = false;
  bool stopping_ = false;
  bool start_failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
