// sim_mutants: proves that the simulator finds defects. Every seeded defect (common/base/mutant.h)
// must make one of its workload's seeds fail, while none fails without a defect; prints how long
// each took. docs/simulation.md holds the table.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "common/base/mutant.h"
#include "tests/sim/groups/groups.h"
#include "tests/sim/mutant_child.h"
#include "tests/sim/workload/workload.h"

namespace {

using Workload = std::function<void(sim::World&)>;

struct Mutant {
  const char* name;
  const char* workload;
  Workload run;
  std::uint64_t seeds_max;
};

const Workload kRaft3 = [](sim::World& world) { sim::run_raft(world, 3); };
const Workload kRaft5 = [](sim::World& world) { sim::run_raft(world, 5); };

const std::vector<Mutant> kMutants = {
    {"raft-votes-for-any-log", "raft3", kRaft3, 2000},
    {"raft-forgets-vote-given", "raft3", kRaft3, 4000},
    {"raft-keeps-conflicting-entries", "raft3", kRaft3, 2000},
    {"raft-commits-unmatched-entries", "raft5", kRaft5, 4000},
    {"raft-counts-what-is-not-synced", "raft3", kRaft3, 4000},
    {"raft-answers-before-sync", "raft3", kRaft3, 4000},
    {"raft-votes-for-lost-disk", "raft3", kRaft3, 12000},
    {"raft-transfers-to-any-log", "raft3", kRaft3, 4000},
    {"raft-changes-members-at-any-time", "raft5", kRaft5, 4000},
    {"store-skips-sync", "metadata", sim::run_metadata, 50},
    {"store-cuts-log-early", "metadata-each-operation", sim::run_metadata_each_operation, 5},
    {"controller-answers-before-commit", "metadata", sim::run_metadata, 50},
    {"snapshot-forgets-producer-ids", "metadata", sim::run_metadata, 50},
    {"group-syncs-old-generations", "groups", sim::run_groups, 200},
    {"group-answers-before-commit", "groups", sim::run_groups, 200},
    {"group-takes-anybodys-commits", "groups", sim::run_groups, 200},
    {"group-keeps-the-dead", "groups", sim::run_groups, 200},
    {"consumer-assigns-before-revoking", "consumer-groups", sim::run_consumer_groups, 200},
    {"consumer-assigns-what-others-hold", "consumer-groups", sim::run_consumer_groups, 200},
    {"consumer-keeps-the-dead", "consumer-groups", sim::run_consumer_groups, 200},
    {"consumer-target-never-due", "consumer-groups", sim::run_consumer_groups, 200},
    {"consumer-takes-any-epoch", "consumer-groups", sim::run_consumer_groups, 200},
    {"upgrade-forgets-what-is-given-back", "group-migration", sim::run_group_migration, 2000},
    {"downgrade-forgets-what-is-held", "group-migration", sim::run_group_migration, 1000},
    {"classic-is-never-asked-to-join", "group-migration", sim::run_group_migration, 200},
    {"consumer-group-never-goes-back", "group-migration", sim::run_group_migration, 200},
    {"consumer-takes-stale-commits", "consumer-groups", sim::run_consumer_groups, 200},
};

struct Found {
  std::uint64_t seed = 0;  // that fails; 0: none
  double seconds = 0;      // of one core
};

// In a child, as a defect may well abort.
Found first_failing_seed(const Mutant& mutant) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(2);  // the CHECKs of defects are noise
    base::active_mutant = mutant.name;
    for (std::uint64_t seed = 1; seed <= mutant.seeds_max; ++seed) {
      if (::write(ends[1], &seed, sizeof seed) != sizeof seed) ::_exit(1);
      sim::World world(seed);
      mutant.run(world);
      if (world.failed()) ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::uint64_t seed = 0;
  std::uint64_t last = 0;
  while (::read(ends[0], &seed, sizeof seed) == sizeof seed) last = seed;
  ::close(ends[0]);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  const double seconds =
      static_cast<double>(used.ru_utime.tv_sec) + static_cast<double>(used.ru_utime.tv_usec) / 1e6;
  return {sim::says_found(mutant.name, status) ? last : 0, seconds};
}

}  // namespace

int main(int argc, char** argv) {
  int missed = 0;
  for (const Mutant& mutant : kMutants) {
    if (argc > 1 && argv[1] != std::string(mutant.name)) continue;
    const Found found = first_failing_seed(mutant);
    std::printf("%-38s %-24s ", mutant.name, mutant.workload);
    if (found.seed == 0) {
      std::printf("missed in %llu seeds, %.1f s\n",
                  static_cast<unsigned long long>(mutant.seeds_max), found.seconds);
      ++missed;
    } else {
      std::printf("seed %llu, %.2f s\n", static_cast<unsigned long long>(found.seed),
                  found.seconds);
    }
    std::fflush(stdout);
  }
  return missed == 0 ? 0 : 1;
}
