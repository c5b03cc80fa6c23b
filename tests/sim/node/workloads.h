// The workloads of one whole node: controller, broker and Kafka clients.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace sim {

// Producers, consumers and an administrator, under crashes (at disk operations too), kills, clean
// restarts, failing writes and syncs, a full disk, lost connections. What was acknowledged or seen
// stays; after all has healed everybody goes on.
void run_node(World& world);

// A fixed short script, over and over: at every `stride`th disk operation of it, beginning with
// one that the seed chooses, power is lost, the process killed, the operation failed, the disk
// full for a while or the network cut. Promises are kept and everybody gets done.
void run_node_each_operation(World& world, std::uint64_t stride = 1);

// A node with two log directories: partitions move between them, over and over, while they are
// written and read. At every `stride`th disk operation of that, beginning with one that the seed
// chooses, power is lost, the process killed or the operation failed. Nothing acknowledged is lost
// or doubled, everything is in one place after the next start, and everybody gets done.
void run_node_moves(World& world, std::uint64_t stride = 1);

// Transactional producers of both versions of the protocol that read, process and write, under
// crashes, timeouts, lost connections and EndTxn that arrive late: transactions are seen whole or
// not at all, and their offsets with them.
void run_transactions(World& world);

}  // namespace sim
