// One life of the process in a LogWorkload.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/disk/log_workload.h"

namespace sim {

inline const broker::PartitionName kWorkloadName{"topic", 0};
inline constexpr const char* kWorkloadPath = "data";

struct LogWorkload::Session {
  base::SilentDiag diag;
  std::unique_ptr<broker::LogDirectory> directory;
  std::unique_ptr<broker::Log> log;
  std::vector<std::shared_ptr<broker::Upkeep>> upkeeps;
  std::vector<broker::Removal> removals;
};

}  // namespace sim
