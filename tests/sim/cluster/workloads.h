// The workloads of a whole cluster: controllers, brokers and Kafka clients in one thread.
#pragma once

#include "tests/sim/world.h"

namespace sim {

// Three controllers, three brokers, replicated topics; producers with acks=all and consumers, while
// machines crash with and without power, end orderly, lose their disks' syncs, run full, and are
// cut off from each other. What was acknowledged or read stays; replicas end up equal; once all has
// healed everybody goes on.
void run_cluster(World& world);

}  // namespace sim
