// Reads a partition of __consumer_offsets into a fresh core. Blocks: runs away from the reactors.
#pragma once

#include <expected>
#include <string>

#include "broker/group/group_coordinator.h"
#include "broker/node/log_reader.h"
#include "broker/node/partition.h"

namespace broker {

// Replays every committed record of the partition, in order. Offsets within a transaction wait in
// the core for its end. The error is for operators.
std::expected<LoadReport, std::string> load_groups(Partition& partition,
                                                   group::GroupCoordinator& core);

}  // namespace broker
