// A workload: sets a world up, runs it, and leaves the verdict in it. Registered in main.cc.
#pragma once

#include "tests/sim/world.h"

namespace sim {

// The Raft core alone, with a model of a disk and of a network: elections, replication and
// snapshots under loss, duplication, delay, cuts (also one-way) and crashes that keep a random part
// of what was not yet synced.
void run_raft(World& world, int voters);

}  // namespace sim
