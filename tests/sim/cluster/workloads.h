// The workloads of a whole cluster: controllers, brokers and Kafka clients in one thread.
#pragma once

#include "tests/sim/world.h"

namespace sim {

// Three controllers, three to five brokers, replicated topics; producers with acks=all and
// consumers, while all goes wrong that mischief.h knows. What was acknowledged or read stays;
// replicas end up equal; once all has healed everybody goes on.
void run_cluster(World& world);

// Three controllers, three brokers that end and come back, one or all at a time. A transactional id
// keeps its producer id with rising epochs, a group keeps its offsets, whoever coordinates; once
// all runs again both are served.
void run_coordinators(World& world);

// Nothing fails, but copying is throttled to almost nothing: replicas in sync stay in sync and
// producers go on; a replica that moves takes as long as the throttle says, and arrives.
void run_throttled(World& world);

// The only replica of a partition moves from broker to broker, slowly, while producers write with
// acks=all: they go on meanwhile, and what was acknowledged is there where it has moved to.
void run_lone_moves(World& world);

// Leaders are killed one after the other. Clients that ask another broker at once are not sent back
// to the dead one: they hear of the next leader.
void run_lost_leader(World& world);

// Leaders fall silent one after the other: nobody closes their connections. Clients that wait are
// recalled and hear of the next leader; what was under way with other brokers is done once or not
// at all.
void run_silent_leader(World& world);

// One of three brokers at a time loses power, and finds a bit flipped in what it had written last:
// what was acknowledged stays, nobody reads anything else, and the replica is in sync again, though
// a person may have to take its directory away.
void run_rot(World& world);

// Three controllers and up to five brokers in three racks that join, drain and fail while balancing
// is started and paused: nothing moves in a cluster that is not well, few replicas at a time, none
// is given up; in the end all racks are used and brokers are even.
void run_balance(World& world);

}  // namespace sim
