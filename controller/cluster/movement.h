// What drains, rebalances and reassignments share.
#pragma once

#include <vector>

#include "controller/cluster/partition_change.h"
#include "controller/place/rebalance.h"

namespace controller::cluster {

// Every registered broker with what it holds, counting reassignments under way as done.
std::vector<place::Seat> seats_of(const meta::Image& image);
// Where the partition's replicas will be once its reassignment is complete.
Replicas destination(const meta::Partition& partition);
bool is_moving(const meta::Partition& partition);
// Partitions of the cluster that are moving.
int moving_count(const meta::Image& image);

// Turns the change into a reassignment to `target` (KIP-455): from what the partition was before a
// reassignment that is under way, if there is one.
void reassign(PartitionChange& change, const Replicas& target);
// The record that begins a reassignment to `target`; nothing when nothing changes.
std::optional<proto::Record> move_to(const meta::Topic& topic, std::int32_t index,
                                     const Replicas& target, const meta::Image& image,
                                     const Settings& settings);

}  // namespace controller::cluster
