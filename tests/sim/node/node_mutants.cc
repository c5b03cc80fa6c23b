// sim_node_mutants: proves that the node workload finds defects. Each seeded defect
// (common/base/mutant.h) must make one of the seeds fail. With a name, tries that one only.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "common/base/mutant.h"
#include "tests/sim/mutant_child.h"
#include "tests/sim/node/workloads.h"

namespace {

void run_moves(sim::World& world) { sim::run_node_moves(world, 7); }

struct Mutant {
  const char* name;
  void (*workload)(sim::World&);
};
constexpr Mutant kMutants[] = {
    {"node-acks-before-sync", &sim::run_node},   {"node-shows-unsynced", &sim::run_node},
    {"node-checks-no-sequence", &sim::run_node}, {"node-acks-failed-sync", &sim::run_node},
    {"node-forgets-starts", &sim::run_node},     {"node-acks-duplicates-at-once", &sim::run_node},
    {"move-counts-before-flush", &run_moves},    {"move-counts-at-once", &run_moves},
};
constexpr std::uint64_t kSeedsMax = 60;

// In a child each, as a defect may well abort.
bool fails(const Mutant& mutant, std::uint64_t seed) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(2);  // the CHECKs of defects are noise
    base::active_mutant = mutant.name;
    sim::World world(seed);
    mutant.workload(world);
    if (world.failed()) {
      std::printf("%-30s seed %llu: %s\n", mutant.name, static_cast<unsigned long long>(seed),
                  world.why().c_str());
      std::fflush(stdout);
    }
    ::_exit(world.failed() ? 1 : 0);
  }
  return sim::child_finds(mutant.name, child);
}

}  // namespace

int main(int argc, char** argv) {
  int missed = 0;
  for (const Mutant& mutant : kMutants) {
    if (argc > 1 && argv[1] != std::string(mutant.name)) continue;
    std::uint64_t seed = 1;
    while (seed <= kSeedsMax && !fails(mutant, seed)) ++seed;
    if (seed <= kSeedsMax) continue;
    std::printf("%-30s missed\n", mutant.name);
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}
