// Reads a partition of __consumer_offsets into a fresh core. Blocks: runs away from the reactors.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "broker/group/group_coordinator.h"
#include "broker/node/partition.h"
#include "common/base/ids.h"

namespace broker {

struct LoadReport {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  base::Offset end{0};
};

// Replays every committed record of the partition, in order. Offsets that were committed within a
// transaction count when it was committed. The error is for operators.
std::expected<LoadReport, std::string> load_groups(Partition& partition,
                                                   group::GroupCoordinator& core);

}  // namespace broker
