// One simulated machine with one member of the quorum on it. start() boots the process; crash()
// ends it, with or without the power.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/controller.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_diag.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/world.h"

namespace sim {

std::string controller_host(std::int32_t id);

class ControllerMachine {
 public:
  ControllerMachine(World& world, SimRpc& rpc, std::int32_t id, std::vector<std::int32_t> voters);
  ~ControllerMachine();

  void start();
  void crash(bool power);
  // SIGSTOP and SIGCONT.
  void freeze();
  void thaw();
  bool frozen() const { return executor_ && executor_->frozen(); }
  void skew(base::WallMs ahead) { clock_.wall_offset = ahead; }
  bool up() const { return executor_ != nullptr; }
  // The process is there but must be restarted: it could not start, or its disk failed.
  bool broken() const;
  bool leading() const { return controller_ && controller_->stats().leading; }
  const controller::Controller* controller() const { return controller_.get(); }
  const std::string& host() const { return host_; }
  std::int32_t id() const { return id_; }

  SimDisk disk;
  bool may_fail_to_start = false;

 private:
  World& world_;
  SimRpc& rpc_;
  const std::int32_t id_;
  const std::vector<std::int32_t> voters_;
  const std::string host_;
  SimClock clock_;
  SimDiag diag_;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<io::RpcServer> endpoint_;
  std::unique_ptr<controller::Controller> controller_;
  int life_ = 0;
  bool start_failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
