// A workload: sets a world up, runs it, and leaves the verdict in it. Registered in main.cc.
#pragma once

#include "tests/sim/world.h"

namespace sim {

// The Raft core alone, with a model of a disk and of a network: elections, replication and
// snapshots under loss, duplication, delay, cuts (also one-way) and crashes that keep a random part
// of what was not yet synced.
void run_raft(World& world, int voters);

// A real controller on a simulated disk, real followers and clients in other processes: topics,
// configs and producer ids under crashes of any of them, lost calls, a full disk. What was
// acknowledged is there after every recovery; images at equal offsets are equal.
void run_metadata(World& world);

// The same controller under a script, stopped at each of its disk operations in turn (and once more
// while it recovers).
void run_metadata_each_operation(World& world);

}  // namespace sim
