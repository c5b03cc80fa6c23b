// Compaction against crashes at every operation of the disk, and the checker against compactions
// that do one thing wrong.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/disk/compact_workload.h"

namespace sim {
namespace {

constexpr int kSteps = 130;

int seeds(int usual) {
  const char* more = std::getenv("MOLDAU_SIM_SEEDS");
  return more ? std::atoi(more) : usual;
}

struct Life {
  std::unique_ptr<SimDisk> disk;
  CompactModel model;
  std::optional<std::string> violation;
};

// A life that ends before operation `stop`, power lost.
Life crash_at(std::uint64_t seed, std::uint64_t stop, CompactMutant mutant = CompactMutant::kNone) {
  Life run{std::make_unique<SimDisk>(seed * 7919 + stop)};
  run.disk->stop_at(stop);
  {
    CompactWorkload workload(*run.disk, seed, mutant);
    run.violation = workload.run(kSteps);
    run.model = workload.model();
  }
  run.disk->faults = {};
  run.disk->crash();
  return run;
}

std::uint64_t operations_of(std::uint64_t seed) {
  SimDisk disk(seed);
  CompactWorkload workload(disk, seed);
  EXPECT_EQ(workload.run(kSteps), std::nullopt);
  return disk.operations();
}

// Goal: a reader of a compacted log comes to the values of all that was written, while rounds are
// under way and after a restart. Method: long lives, checked as they stand and after a kill that
// loses nothing.
TEST(CompactCrash, NothingIsWrongWithoutOne) {
  std::uint64_t rounds = 0;
  for (int seed = 1; seed <= seeds(40); ++seed) {
    const auto numbered = static_cast<std::uint64_t>(seed);
    SimDisk disk(numbered);
    CompactModel model;
    {
      CompactWorkload workload(disk, numbered);
      for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(workload.run(80), std::nullopt) << "seed " << seed << " part " << i;
        ASSERT_EQ(workload.check_live(), std::nullopt) << "seed " << seed << " part " << i;
      }
      rounds += workload.rounds_done();
      model = workload.model();
    }
    disk.kill_process();
    ASSERT_EQ(CompactWorkload::check(disk, model), std::nullopt) << "seed " << seed;
  }
  EXPECT_GT(rounds, 60u);
}

// Goal: wherever a round is when power is lost, the log recovers to the same values. Method: for
// each seed stop before every operation in turn, crash with a seeded choice of what was not synced.
TEST(CompactCrash, AtEveryOperation) {
  for (int seed = 1; seed <= seeds(8); ++seed) {
    const auto numbered = static_cast<std::uint64_t>(seed);
    const std::uint64_t operations = operations_of(numbered);
    for (std::uint64_t stop = 1; stop < operations; ++stop) {
      Life run = crash_at(numbered, stop);
      ASSERT_EQ(run.violation, std::nullopt) << "seed " << seed << " stop " << stop;
      ASSERT_EQ(CompactWorkload::check(*run.disk, run.model), std::nullopt)
          << "seed " << seed << " stop " << stop;
    }
  }
}

// Goal: a crash while a swap is being finished changes nothing. Method: recover a crashed disk to
// the end, and a copy of it stopped before each operation of the recovery, crashed and recovered
// again; both must hold the same.
TEST(CompactCrash, WhileRecovering) {
  for (int seed = 100; seed < 100 + seeds(6); ++seed) {
    const auto numbered = static_cast<std::uint64_t>(seed);
    const std::uint64_t operations = operations_of(numbered);
    for (std::uint64_t stop = 5; stop < operations; stop += 3) {
      Life run = crash_at(numbered, stop);
      bool swapping = false;
      for (const std::string& name : run.disk->files()) swapping |= name.ends_with(".swap");
      if (!run.model.created || !swapping) continue;
      const auto straight = run.disk->clone(1);
      const auto first = CompactWorkload::recover(*straight);
      ASSERT_TRUE(first) << "seed " << seed << " stop " << stop << ": " << first.error().what;
      for (std::uint64_t again = 0; again < straight->operations(); ++again) {
        const auto crashed = run.disk->clone(again + stop);
        crashed->stop_at(again);
        (void)CompactWorkload::recover(*crashed);
        crashed->crash();
        const auto second = CompactWorkload::recover(*crashed);
        ASSERT_TRUE(second) << "seed " << seed << " stop " << stop << ", " << again;
        ASSERT_EQ(*second, *first) << "seed " << seed << " stop " << stop << ", " << again;
      }
    }
  }
}

// Goal: the checks above are able to fail. Method: each mutant must be noticed within a bounded
// number of crashes.
TEST(CompactCrash, MutantsAreNoticed) {
  for (const CompactMutant mutant : kCompactMutants) {
    std::optional<std::string> noticed;
    int tries = 0;
    for (std::uint64_t seed = 1; seed <= 40 && !noticed; ++seed) {
      const std::uint64_t operations = operations_of(seed);
      for (std::uint64_t stop = 20; stop < operations && !noticed; stop += 11) {
        ++tries;
        Life run = crash_at(seed, stop, mutant);
        noticed = run.violation;
        if (!noticed) noticed = CompactWorkload::check(*run.disk, run.model);
      }
    }
    EXPECT_TRUE(noticed) << "mutant was not noticed: " << name_of(mutant);
    if (noticed) {
      std::printf("%s: noticed after %d crashes: %s\n", name_of(mutant), tries, noticed->c_str());
    }
  }
}

}  // namespace
}  // namespace sim
