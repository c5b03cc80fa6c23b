// The one thing that goes wrong in a life of a node that is else the same every time, and sweeps of
// it over all operations of the disk: docs/simulation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace sim {

enum class Fault : std::uint8_t {
  kNone,
  kPower,            // lost at the operation, which is torn if it is a write
  kPowerTwice,       // and once more while the node recovers
  kKill,             // the process only
  kFailedOperation,  // EIO; the node is restarted, with or without loss of power
  kFailedSync,
  kFullDisk,  // for a while
  kCut,       // the network, for a while
};

struct OneFault {
  Fault kind = Fault::kNone;
  std::uint64_t index = 0;  // of the disk operation, or of the sync
  bool variant = false;     // what a life makes of it
};

// A whole life in a world of its own, which fails if something is not as it should be.
using Life = std::function<void(World&, OneFault)>;

// Lives through it with the seed of `world`, which learns the digest and fails as that life does.
// When it is verbose, a failed life is told in full.
void live_through(World& world, OneFault fault, const Life& life);

struct Sweep {
  Fault kind = Fault::kNone;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t stride = 1;
  bool variants = false;  // each index with both
};
// Each in turn, from an index on that the seed chooses, until a life fails.
void live_through_all(World& world, std::span<const Sweep> sweeps, const Life& life);

std::string name_of(Fault kind);

}  // namespace sim
