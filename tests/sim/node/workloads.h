// The workloads of one whole node: controller, broker and Kafka clients.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace sim {

// Producers, consumers and an administrator, under crashes (at disk operations too), kills, clean
// restarts, failing writes and syncs, a full disk, lost connections. What was acknowledged or seen
// stays; after all has healed everybody goes on.
void run_node(World& world);

}  // namespace sim
