// Where the replicas of new partitions go: over racks first, then over brokers, leaders evenly.
// Pure; the same input and start give the same plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace controller::place {

struct Candidate {
  base::BrokerId id;
  std::string rack;  // empty: a rack of its own kind, shared by all that have none
};

// Replicas of each partition, preferred leader first. `start` shifts the row, so that topics do not
// all begin on the same broker. Requires 1 <= replication_factor <= candidates.size().
//
// Every broker leads within one of the same number of partitions; a partition's replicas share a
// rack only when there are fewer racks than replicas.
std::vector<std::vector<base::BrokerId>> spread(std::vector<Candidate> candidates,
                                                std::size_t partitions,
                                                std::size_t replication_factor,
                                                std::uint64_t start);

}  // namespace controller::place
