#include "tests/sim/node/one_fault.h"

namespace sim {

std::string name_of(Fault kind) {
  switch (kind) {
    case Fault::kNone:
      return "nothing";
    case Fault::kPower:
      return "power";
    case Fault::kPowerTwice:
      return "power, twice";
    case Fault::kKill:
      return "kill";
    case Fault::kFailedOperation:
      return "failed operation";
    case Fault::kFailedSync:
      return "failed sync";
    case Fault::kFullDisk:
      return "full disk";
    case Fault::kCut:
      return "cut";
  }
  return "";
}

void live_through(World& world, OneFault fault, const Life& life) {
  World one(world.seed());
  life(one, fault);
  world.trace(name_of(fault.kind), fault.index, one.digest());
  if (!one.failed()) return;
  if (world.verbose()) {
    World again(world.seed());
    again.set_verbose(true);
    life(again, fault);
  }
  world.fail(one.verdict(), name_of(fault.kind) + " at " + std::to_string(fault.index) +
                                (fault.variant ? "'" : "") + ": " + one.why());
}

void live_through_all(World& world, std::span<const Sweep> sweeps, const Life& life) {
  for (const Sweep& sweep : sweeps) {
    const std::uint64_t first = sweep.begin + world.seed() % sweep.stride;
    for (std::uint64_t i = first; i < sweep.end; i += sweep.stride) {
      for (const bool variant : {false, true}) {
        if (world.failed() || (variant && !sweep.variants)) continue;
        live_through(world, {sweep.kind, i, variant}, life);
      }
    }
  }
}

}  // namespace sim
