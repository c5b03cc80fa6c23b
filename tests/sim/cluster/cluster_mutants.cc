// sim_cluster_mutants: proves that the cluster workload finds defects. Each seeded defect
// (common/base/mutant.h) must fail at the seed that is known for it; when the workload has changed
// since, at one of the first seeds, which is then printed for the table below.
//
//   sim_cluster_mutants [--find] [DEFECT]      --find: looks for the first seed of each anew
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "common/base/mutant.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/mutant_child.h"

namespace {

struct Defect {
  const char* name;
  std::uint64_t seed;  // that finds it
  void (*workload)(sim::World&) = sim::run_cluster;
};
constexpr Defect kDefects[] = {
    // the quorum
    {"store-skips-sync", 4},
    {"raft-keeps-conflicting-entries", 5},
    // who leads, who is in sync
    {"keep-leader-epoch", 1},
    {"broker-keeps-its-epoch", 1},
    {"elr-outlives-its-reason", 3},
    {"elects-unclean", 3},
    // leaders
    {"node-acks-before-sync", 1},
    {"node-acks-failed-sync", 12},
    {"node-acks-duplicates-at-once", 5},
    {"node-checks-no-sequence", 1},
    {"node-shows-unsynced", 1},
    {"node-finds-no-divergence", 7},
    {"node-leads-on-when-replaced", 2},
    {"replica-acks-alone", 2},
    {"replica-counts-minimal-isr", 25},
    {"replica-counts-unsynced-leader", 193},
    {"replica-joins-behind", 3},
    // log directories
    {"takes-what-was-left-elsewhere", 152},
    {"recovery-believes-all", 1, sim::run_rot},
    // followers
    {"repl-keeps-what-it-gave-up", 1, sim::run_balance},
    {"repl-fetches-before-flush", 1},
    // clients
    {"metadata-names-lost-leaders", 1, sim::run_lost_leader},
    {"clients-wait-for-the-silent", 1, sim::run_silent_leader},
    {"recall-forgets-what-it-began", 1, sim::run_silent_leader},
    {"node-calls-early-batches-wrong", 1, sim::run_silent_leader},
    // coordinators
    {"coordinator-loads-too-early", 1, sim::run_coordinators},
    // balancing
    {"balance-never-waits", 4, sim::run_balance},
    {"balance-counts-no-moves", 32, sim::run_balance},
    {"balance-mixes-racks", 1, sim::run_balance},
    // throttles
    {"throttle-holds-those-in-sync", 1, sim::run_throttled},
};
constexpr std::uint64_t kSeedsMax = 300;
constexpr unsigned kSecondsMax = 100;  // of one seed

// In a child each, as a defect may well abort.
bool fails(const Defect& defect, std::uint64_t seed) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(2);  // the CHECKs of defects are noise
    ::alarm(kSecondsMax);
    base::active_mutant = defect.name;
    sim::World world(seed);
    defect.workload(world);
    if (world.failed()) {
      std::printf("%-33s seed %3llu: %s\n", defect.name, static_cast<unsigned long long>(seed),
                  world.why().c_str());
      std::fflush(stdout);
    }
    ::_exit(world.failed() ? 1 : 0);
  }
  return sim::child_finds(defect.name, child);
}

double core_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

bool find(const Defect& defect) {
  const double before = core_seconds();
  std::uint64_t seed = 1;
  while (seed <= kSeedsMax && !fails(defect, seed)) ++seed;
  const double took = core_seconds() - before;
  if (seed > kSeedsMax) {
    std::printf("%-33s missed in %.1f s\n", defect.name, took);
    return false;
  }
  std::printf("%-33s found at seed %llu in %.1f s\n", defect.name,
              static_cast<unsigned long long>(seed), took);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  bool find_anew = false;
  std::string_view only;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string_view("--find")) {
      find_anew = true;
    } else {
      only = argv[i];
    }
  }
  int missed = 0;
  for (const Defect& defect : kDefects) {
    if (!only.empty() && only != defect.name) continue;
    const bool found = (!find_anew && fails(defect, defect.seed)) || find(defect);
    missed += found ? 0 : 1;
  }
  return missed == 0 ? 0 : 1;
}
