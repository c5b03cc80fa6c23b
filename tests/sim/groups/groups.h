// A workload: one shard of the group coordinator over a log that loses what was not synced, and
// consumers that join, leave, fall silent, restart and commit, over connections that delay and
// break. Checked: one owner per partition and generation, acknowledged commits never go back, the
// log replays to the live state, and after the faults every group becomes Stable with everybody.
#pragma once

#include "tests/sim/world.h"

namespace sim {

void run_groups(World& world);
// The same for groups of the consumer protocol (KIP-848): no partition has two owners at once.
void run_consumer_groups(World& world);
// The same with members that change between the protocols, and their groups with them.
void run_group_migration(World& world);

}  // namespace sim
