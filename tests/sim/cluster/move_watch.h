// What must hold of replicas that move, at every change that a controller commits: no more than are
// allowed at a time, none begun by balancing while the cluster is not well, and never fewer
// replicas than the topic has. Lives in the world's thread; fails the run.
#pragma once

#include <cstdint>

#include "tests/sim/cluster/cluster.h"

namespace sim {

class MoveWatch {
 public:
  // `cluster` outlives the world's events. `replicas`: of every partition.
  MoveWatch(Cluster& cluster, std::size_t replicas);

  // Replicas that began to move so far.
  std::uint64_t begun() const { return begun_; }

 private:
  void look();
  void check_each(const meta::Image& now);
  void check_begun(const meta::Image& before, const meta::Image& now);

  Cluster& cluster_;
  const std::size_t replicas_;
  const ControllerMachine* leader_ = nullptr;
  meta::ImagePtr seen_;
  std::uint64_t begun_ = 0;
};

}  // namespace sim
