// Where a topic's replicas go when it is to have more or fewer of them. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "operator/plan/observed.h"

namespace kube {

// The new replicas of the partitions that have not `factor` of them, preferred leader first. More
// go to racks that the partition is not in, then to brokers with fewest replicas; those that are
// not in sync go first. Brokers that are fenced or drain get none. A partition with too few brokers
// to choose from is left out.
std::map<std::int32_t, std::vector<std::int32_t>> with_factor(
    const std::vector<PartitionSeen>& partitions, std::size_t factor,
    const std::vector<BrokerSeen>& brokers);

}  // namespace kube
