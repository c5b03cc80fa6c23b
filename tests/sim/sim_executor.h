// io::Executor in the world: one process of the simulation. Posted work is an event at the same
// instant, behind what is there; blocking work takes a while of virtual time. kill() is kill -9:
// what was posted never runs. There is one thread, so here() is always true.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "tests/sim/world.h"

namespace sim {

class SimExecutor final : public io::Executor, private Actor {
 public:
  SimExecutor(World& world, std::string_view name);
  ~SimExecutor() override;
  SimExecutor(const SimExecutor&) = delete;
  SimExecutor& operator=(const SimExecutor&) = delete;

  void post(Work work) override;
  void blocking(Work work, Work done) override;
  base::Instant now() const override { return world_.now(); }
  base::TimerWheel& timers() override {
    touch();
    return timers_;
  }
  bool here() const override { return true; }

  // As post(), at that time: what the network brings.
  void at(base::Instant when, Work work);
  // Whether what comes now is done now: neither killed nor frozen.
  bool runs() const { return !killed_ && !frozen_; }
  // How often anything ran here: as long as it stays, nothing has changed in this process.
  std::uint64_t ran() const { return ran_; }
  // Its name in the world, which outlives it.
  World::ActorId id() const { return id_; }

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
  static constexpr std::uint32_t kTurn = UINT32_MAX;  // of the timers; else a place in waiting_

  void run(std::uint32_t what) override;
  void settle() override;
  void turn();
  // A timer may have been set: the next turn is looked for after this event.
  void touch() {
    if (!std::exchange(touched_, true)) world_.settle_soon(id_);
  }

  World& world_;
  const World::ActorId id_;
  base::Random random_;
  base::TimerWheel timers_;
  std::vector<Work> waiting_;
  std::vector<std::uint32_t> free_;  // places in waiting_
  std::optional<base::Instant> armed_;
  std::uint64_t ran_ = 0;
  bool touched_ = false;
  bool killed_ = false;
  bool frozen_ = false;
  std::vector<std::uint32_t> due_;  // while frozen
};

}  // namespace sim
