// The workloads of a whole cluster: controllers, brokers and Kafka clients in one thread.
#pragma once

#include "tests/sim/world.h"

namespace sim {

// Three controllers, three to five brokers, replicated topics; producers with acks=all and
// consumers, while all goes wrong that mischief.h knows. What was acknowledged or read stays;
// replicas end up equal; once all has healed everybody goes on.
void run_cluster(World& world);

}  // namespace sim
