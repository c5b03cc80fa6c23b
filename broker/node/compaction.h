// The partitions of a node as compaction (broker/log/cleaner.h) sees them.
#pragma once

#include <memory>
#include <vector>

#include "broker/log/cleaner.h"
#include "broker/node/partition.h"
#include "common/config/cleaner_config.h"

namespace broker {

// One for each; leaders and followers alike.
std::vector<std::shared_ptr<CleanableLog>> cleanable_logs(
    const std::vector<std::shared_ptr<Partition>>& partitions);

// What the broker's configuration means to it.
Cleaner::Options cleaner_options(const config::CleanerConfig& config);

}  // namespace broker
