// One simulated machine with one node, as `moldau dev` runs it: a controller and a broker on one
// executor, over a disk and a network that fail. start() boots the process; crash() ends it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "controller/controller.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/world.h"

namespace sim {

inline constexpr const char* kNodeHost = "node";
inline constexpr std::uint16_t kNodePort = 9092;

class NodeProcess {
 public:
  NodeProcess(World& world, SimNetwork& network, SimRpc& rpc);
  ~NodeProcess();

  void start();
  // Loss of power, or kill -9.
  void crash(bool power);
  // As SIGTERM: `done` when the process has ended.
  void stop(std::function<void()> done);

  bool up() const { return executor_ != nullptr; }
  bool serving() const { return serving_; }
  // The process is there but must be restarted: it could not start, or a disk failed it.
  bool broken() const;
  // The log directory said so itself.
  bool out_of_service() const;
  broker::Broker* broker() { return broker_.get(); }

  // Before start().
  std::vector<std::string> log_dirs = {"/data/logs"};
  SimDisk disk;
  // Failures of the start are expected: the disk is made to fail.
  bool may_fail_to_start = false;
  // What disk.stop_at() comes to: loss of power, or kill -9.
  bool stops_with_power = true;
  std::function<void(bool power)> on_crash = [](bool) {};
  // How often it was started.
  int lives() const { return life_; }

 private:
  void start_broker();
  void failed_to_start(const std::string& why);
  void forget();

  World& world_;
  SimNetwork& network_;
  SimRpc& rpc_;
  SimClock clock_;
  base::SilentDiag diag_;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<io::Net> net_;
  std::unique_ptr<io::RpcServer> endpoint_;
  std::unique_ptr<controller::Controller> controller_;
  std::unique_ptr<io::RpcClient> client_;
  std::unique_ptr<broker::Broker> broker_;
  int life_ = 0;
  bool serving_ = false;
  bool stopping_ = false;
  bool start_failed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
