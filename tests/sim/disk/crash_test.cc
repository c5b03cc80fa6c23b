// The log against crashes at every operation of the disk, and the checker against logs (and disks)
// that do one thing wrong.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/disk/log_workload.h"

namespace sim {
namespace {

constexpr int kSteps = 70;

int seeds(int usual) {
  const char* more = std::getenv("MOLDAU_SIM_SEEDS");
  return more ? std::atoi(more) : usual;
}

struct Life {
  std::unique_ptr<SimDisk> disk;
  LogModel model;
  std::optional<std::string> violation;
};

// A life that ends before operation `stop`, power lost.
Life crash_at(std::uint64_t seed, std::uint64_t stop, Mutant mutant = Mutant::kNone) {
  Life run{std::make_unique<SimDisk>(seed * 7919 + stop)};
  run.disk->stop_at(stop);
  {
    LogWorkload workload(*run.disk, seed, mutant);
    run.violation = workload.run(kSteps);
    run.model = workload.model();
  }
  run.disk->faults = {};
  run.disk->crash();
  return run;
}

std::uint64_t operations_of(std::uint64_t seed) {
  SimDisk disk(seed);
  LogWorkload workload(disk, seed);
  EXPECT_EQ(workload.run(kSteps), std::nullopt);
  return disk.operations();
}

// Goal: the workload itself is sound: without a crash nothing is wrong at its end. Method: many
// lives to their end, then a kill that loses nothing.
TEST(Crash, NothingIsWrongWithoutOne) {
  for (int seed = 1; seed <= seeds(60); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    SimDisk disk(number);
    LogModel model;
    {
      LogWorkload workload(disk, number);
      ASSERT_EQ(workload.run(300), std::nullopt) << "seed " << seed;
      model = workload.model();
    }
    disk.kill_process();
    ASSERT_EQ(LogWorkload::check(disk, model, number), std::nullopt) << "seed " << seed;
  }
}

// Goal: whatever was acknowledged survives a loss of power at any moment, and what recovery makes
// of the rest is a log. Method: for each seed, stop before every operation in turn, crash with a
// seeded choice of what was not synced, recover, compare with the model.
TEST(Crash, AtEveryOperation) {
  for (int seed = 1; seed <= seeds(24); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    const std::uint64_t operations = operations_of(number);
    for (std::uint64_t stop = 1; stop < operations; ++stop) {
      Life run = crash_at(number, stop);
      ASSERT_EQ(run.violation, std::nullopt) << "seed " << seed << " stop " << stop;
      ASSERT_EQ(LogWorkload::check(*run.disk, run.model, stop), std::nullopt)
          << "seed " << seed << " stop " << stop;
    }
  }
}

// Goal: a crash while recovering changes nothing. Method: recover a crashed disk to the end, and a
// copy of it stopped before each operation of the recovery, crashed again and recovered again; both
// must hold the same.
TEST(Crash, WhileRecovering) {
  for (int seed = 100; seed < 100 + seeds(8); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    const std::uint64_t operations = operations_of(number);
    for (std::uint64_t stop = 5; stop < operations; stop += 7) {
      Life run = crash_at(number, stop);
      if (!run.model.created) continue;
      const auto straight = run.disk->clone(1);
      const auto first = LogWorkload::recover(*straight);
      ASSERT_TRUE(first) << "seed " << seed << " stop " << stop << ": " << first.error().what;
      for (std::uint64_t again = 0; again < straight->operations(); ++again) {
        const auto crashed = run.disk->clone(again + stop);
        crashed->stop_at(again);
        (void)LogWorkload::recover(*crashed);
        crashed->crash();
        const auto second = LogWorkload::recover(*crashed);
        ASSERT_TRUE(second) << "seed " << seed << " stop " << stop << ", " << again;
        ASSERT_EQ(*second, *first) << "seed " << seed << " stop " << stop << ", " << again;
      }
    }
  }
}

// Goal: the log goes on after a crash, and another one. Method: lives on the same disk one after
// the other, each crashed; the model goes on with what recovery kept.
TEST(Crash, AgainAndAgain) {
  for (int seed = 1; seed <= seeds(40); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    SimDisk disk(number);
    base::Random random(number);
    LogWorkload workload(disk, number);
    for (int life = 0; life < 6; ++life) {
      disk.stop_at(disk.operations() + 1 + random.below(120));
      ASSERT_EQ(workload.run(200), std::nullopt) << "seed " << seed << " life " << life;
      disk.faults = {};
      workload.lose_process();
      disk.crash();
      ASSERT_EQ(workload.resume(), std::nullopt) << "seed " << seed << " life " << life;
    }
  }
}

// A life in which one operation fails; what was acknowledged before must be there after a crash.
void check_failure(std::uint64_t seed, const DiskFaults& faults, const std::string& what) {
  SimDisk disk(seed);
  disk.faults = faults;
  LogModel model;
  {
    LogWorkload workload(disk, seed);
    (void)workload.run_to_failure(kSteps);
    model = workload.model();
  }
  disk.faults = {};
  disk.crash();
  ASSERT_EQ(LogWorkload::check(disk, model, seed), std::nullopt) << "seed " << seed << what;
}

// Goal: a failed write or sync is never taken for a success. Method: fail each sync in turn, and
// each operation in turn; the life ends there, and after a crash the log must hold what had been
// acknowledged.
TEST(Crash, AfterAFailedSync) {
  for (int seed = 200; seed < 200 + seeds(6); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    SimDisk whole(number);
    LogWorkload life(whole, number);
    ASSERT_EQ(life.run(kSteps), std::nullopt);
    for (std::uint64_t fails = 0; fails < whole.syncs(); ++fails) {
      check_failure(number, {.fail_sync = fails}, " sync " + std::to_string(fails));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Crash, AfterAFailedOperation) {
  for (int seed = 300; seed < 300 + seeds(3); ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    const std::uint64_t operations = operations_of(number);
    for (std::uint64_t fails = 0; fails < operations; ++fails) {
      check_failure(number, {.fail_operation = fails}, " operation " + std::to_string(fails));
      if (HasFatalFailure()) return;
    }
  }
}

// Goal: the checks above are able to fail. Method: each mutant must be noticed within a bounded
// number of crashes.
TEST(Crash, MutantsAreNoticed) {
  for (const Mutant mutant : kMutants) {
    std::optional<std::string> noticed;
    int tries = 0;
    for (std::uint64_t seed = 1; seed <= 40 && !noticed; ++seed) {
      const std::uint64_t operations = operations_of(seed);
      for (std::uint64_t stop = 10; stop < operations && !noticed; stop += 9) {
        ++tries;
        Life run = crash_at(seed, stop, mutant);
        noticed = run.violation;
        if (!noticed) noticed = LogWorkload::check(*run.disk, run.model, stop, mutant);
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
