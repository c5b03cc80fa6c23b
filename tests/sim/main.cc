// sim --workload X --seed N --seeds COUNT [--minutes M] [--mutant NAME] [--twice] [--verbose]
//
// Runs COUNT seeds from N of each workload, or as many as M minutes allow. On a failure prints
// workload and seed, which replay it exactly, and exits with 127 (crash), 128 (no progress) or 129
// (incorrect). --twice runs each seed twice and compares the digests of the traces.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "common/base/mutant.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/groups/groups.h"
#include "tests/sim/node/workloads.h"
#include "tests/sim/workload/workload.h"

namespace {

const std::map<std::string, std::function<void(sim::World&)>> kWorkloads = {
    {"raft3", [](sim::World& world) { sim::run_raft(world, 3); }},
    {"raft5", [](sim::World& world) { sim::run_raft(world, 5); }},
    {"metadata", sim::run_metadata},
    {"metadata-each-operation", sim::run_metadata_each_operation},
    {"groups", sim::run_groups},
    {"consumer-groups", sim::run_consumer_groups},
    {"group-migration", sim::run_group_migration},
    {"node", sim::run_node},
    {"transactions", sim::run_transactions},
    {"cluster", sim::run_cluster},
    {"coordinators", sim::run_coordinators},
    {"throttled", sim::run_throttled},
    {"lone-moves", sim::run_lone_moves},
    {"lost-leader", sim::run_lost_leader},
    {"silent-leader", sim::run_silent_leader},
    {"rot", sim::run_rot},
    {"balance", sim::run_balance},
    // A few operations for each seed: forty seeds in a row are all of them.
    {"node-moves", [](sim::World& world) { sim::run_node_moves(world, 40); }},
    {"node-each-operation", [](sim::World& world) { sim::run_node_each_operation(world, 40); }},
};

// For the signal handler.
char running[256] = "";

void on_abort(int) {
  static constexpr char kText[] = "sim: crashed: ";
  [[maybe_unused]] auto one = ::write(2, kText, sizeof kText - 1);
  [[maybe_unused]] auto two = ::write(2, running, std::strlen(running));
  [[maybe_unused]] auto three = ::write(2, "\n", 1);
  ::_exit(static_cast<int>(sim::Verdict::kCrash));
}

struct Options {
  std::string workload = "all";
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::uint64_t minutes = 0;  // 0: no bound but `seeds`
  bool twice = false;
  bool verbose = false;
};

struct Outcome {
  sim::Verdict verdict;
  std::string why;
  std::uint64_t digest;
  std::uint64_t events;
  double virtual_seconds;
};

// Of this process so far.
double core_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

Outcome run_once(const std::function<void(sim::World&)>& workload, std::uint64_t seed,
                 bool verbose) {
  sim::World world(seed);
  world.set_verbose(verbose);
  workload(world);
  return {world.verdict(), world.why(), world.digest(), world.events(),
          std::chrono::duration<double>(world.lived()).count()};
}

int run_seeds(const std::string& name, const Options& options,
              std::chrono::steady_clock::time_point end) {
  const auto& workload = kWorkloads.at(name);
  std::uint64_t events = 0;
  double virtual_seconds = 0;
  const double began = core_seconds();
  std::uint64_t seed = options.seed;
  for (; seed < options.seed + options.seeds; ++seed) {
    if (std::chrono::steady_clock::now() >= end) break;
    std::snprintf(running, sizeof running, "--workload %s --seed %llu", name.c_str(),
                  static_cast<unsigned long long>(seed));
    const Outcome outcome = run_once(workload, seed, options.verbose);
    events += outcome.events;
    virtual_seconds += outcome.virtual_seconds * (options.twice ? 2 : 1);
    if (outcome.verdict != sim::Verdict::kGood) {
      std::fprintf(stderr, "sim: %s: %s\n", running, outcome.why.c_str());
      return static_cast<int>(outcome.verdict);
    }
    if (options.twice && run_once(workload, seed, false).digest != outcome.digest) {
      std::fprintf(stderr, "sim: %s: two runs of one seed differ\n", running);
      return static_cast<int>(sim::Verdict::kIncorrect);
    }
  }
  const double took = std::max(core_seconds() - began, 1e-3);
  std::printf(
      "sim: %s: %llu seeds from %llu good, %llu events; %.0f virtual s in %.1f core s: %.0f per"
      " core s\n",
      name.c_str(), static_cast<unsigned long long>(seed - options.seed),
      static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(events),
      virtual_seconds, took, virtual_seconds / took);
  return 0;
}

int usage() {
  std::fprintf(stderr,
               "usage: sim [--workload NAME|all] [--seed N] [--seeds COUNT] [--minutes M] [--twice]"
               " [--verbose]"
               " [--mutant NAME]\nworkloads:");
  for (const auto& [name, run] : kWorkloads) std::fprintf(stderr, " %s", name.c_str());
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--twice") {
      options.twice = true;
    } else if (flag == "--verbose") {
      options.verbose = true;
    } else if (i + 1 < argc && flag == "--workload") {
      options.workload = argv[++i];
    } else if (i + 1 < argc && flag == "--seed") {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && flag == "--seeds") {
      options.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && flag == "--minutes") {
      options.minutes = std::strtoull(argv[++i], nullptr, 10);
#ifdef MOLDAU_MUTANTS
    } else if (i + 1 < argc && flag == "--mutant") {
      base::active_mutant = argv[++i];
#endif
    } else {
      return usage();
    }
  }
  if (options.workload != "all" && !kWorkloads.contains(options.workload)) return usage();
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);
  const std::size_t workloads = options.workload == "all" ? kWorkloads.size() : 1;
  const auto per_workload = options.minutes == 0
                                ? std::chrono::seconds(std::chrono::hours(24))
                                : std::chrono::seconds(options.minutes * 60 / workloads);
  for (const auto& [name, run] : kWorkloads) {
    if (options.workload != "all" && options.workload != name) continue;
    const auto now = std::chrono::steady_clock::now();
    if (const int code = run_seeds(name, options, now + per_workload); code != 0) return code;
  }
  return 0;
}
