// io::Executor in the world: one process of the simulation. Posted work is an event at the same
// instant, behind what is there; blocking work takes a while of virtual time. kill() is kill -9:
// what was posted never runs. There is one thread, so here() is always true.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "tests/sim/world.h"

namespace sim {

class SimExecutor final : public io::Executor {
 public:
  SimExecutor(World& world, std::string_view name);
  ~SimExecutor() override;
  SimExecutor(const SimExecutor&) = delete;
  SimExecutor& operator=(const SimExecutor&) = delete;

  void post(Work work) override;
  void blocking(Work work, Work done) override;
  base::Instant now() const override { return world_.now(); }
  base::TimerWheel& timers() override { return timers_; }
  bool here() const override { return true; }

  // Drops all that waits, and everything that is posted from now on. Destroy what lives on this
  // executor between kill() and the destruction of the executor.
  void kill();
  bool killed() const { return killed_; }
  // SIGSTOP: nothing runs until thaw(); what comes due meanwhile runs then, in its order.
  void freeze() { frozen_ = true; }
  void thaw();
  bool frozen() const { return frozen_; }

  // How long blocking work takes.
  base::Duration blocking_min = std::chrono::microseconds(50);
  base::Duration blocking_max = std::chrono::milliseconds(3);

 private:
  void schedule(base::Duration delay, Work work);
  void arm();
  void run(std::uint64_t id);

  World& world_;
  base::Random random_;
  base::TimerWheel timers_;
  std::uint64_t next_id_ = 0;
  std::map<std::uint64_t, Work> waiting_;  // events of the world name them by id
  std::optional<base::Instant> armed_;
  bool killed_ = false;
  bool frozen_ = false;
  std::vector<std::uint64_t> due_;      // while frozen
  std::shared_ptr<SimExecutor*> self_;  // null inside once destroyed
};

}  // namespace sim
