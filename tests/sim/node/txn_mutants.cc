// sim_txn_mutants: proves that the transactions' workload finds defects. Each seeded defect
// (common/base/mutant.h) must make one of the seeds fail. With a name, tries that one only.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "common/base/mutant.h"
#include "tests/sim/mutant_child.h"
#include "tests/sim/node/workloads.h"

namespace {

constexpr const char* kMutants[] = {
    "txn-marks-before-prepared", "txn-answers-before-commit",   "txn-takes-any-epoch",
    "txn-forgets-a-marker",      "group-keeps-aborted-offsets", "txn-timeout-keeps-epoch",
    "txn-verdicts-overtake",
};
constexpr std::uint64_t kSeedsMax = 400;

// In a child each, as a defect may well abort.
bool fails(const char* mutant, std::uint64_t seed) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(2);  // the CHECKs of defects are noise
    base::active_mutant = mutant;
    sim::World world(seed);
    sim::run_transactions(world);
    if (world.failed()) {
      std::printf("%-30s seed %llu: %s\n", mutant, static_cast<unsigned long long>(seed),
                  world.why().c_str());
      std::fflush(stdout);
    }
    ::_exit(world.failed() ? 1 : 0);
  }
  return sim::child_finds(mutant, child);
}

}  // namespace

int main(int argc, char** argv) {
  int missed = 0;
  for (const char* mutant : kMutants) {
    if (argc > 1 && argv[1] != std::string(mutant)) continue;
    std::uint64_t seed = 1;
    while (seed <= kSeedsMax && !fails(mutant, seed)) ++seed;
    if (seed <= kSeedsMax) continue;
    std::printf("%-30s missed\n", mutant);
    ++missed;
  }
  return missed == 0 ? 0 : 1;
}
