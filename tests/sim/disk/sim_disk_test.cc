#include "tests/sim/disk/sim_disk.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace sim {
namespace {

std::shared_ptr<io::File> create(SimDisk& disk, const std::string& path) {
  return disk.open(path, io::OpenMode::kCreate).value();
}

std::string content(SimDisk& disk, const std::string& path) {
  return disk.read_file(path).value_or("missing");
}

// Goal: what was synced, name and data, survives; what was not may be lost, torn or kept. Method:
// many crashes of the same state; each outcome must be seen, and no other.
TEST(SimDisk, KeepsWhatWasSyncedAndPerhapsMore) {
  bool lost = false;
  bool kept = false;
  bool torn = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.make_directories("d"));
    const auto file = create(disk, "d/f");
    ASSERT_TRUE(file->write_at(base::as_bytes("durable"), 0));
    ASSERT_TRUE(file->sync_data());
    ASSERT_TRUE(disk.sync_directory(""));
    ASSERT_TRUE(disk.sync_directory("d"));
    const std::string more(3000, 'x');
    ASSERT_TRUE(file->write_at(base::as_bytes(more), 7));
    disk.crash();
    const std::string after = content(disk, "d/f");
    ASSERT_TRUE(after.starts_with("durable")) << seed;
    ASSERT_LE(after.size(), 3007u);
    if (after == "durable")
      lost = true;
    else if (after == "durable" + more)
      kept = true;
    else
      torn = true;
    EXPECT_EQ(file->size().error().code, ESTALE);
  }
  EXPECT_TRUE(lost && kept && torn);
}

// Goal: a name is lost or kept with its directory's sync, apart from the file's data. Method: a
// synced file whose name was not.
TEST(SimDisk, NamesNeedTheirDirectory) {
  int there = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimDisk disk(seed);
    const auto file = create(disk, "f");
    ASSERT_TRUE(file->write_at(base::as_bytes("x"), 0));
    ASSERT_TRUE(file->sync_data());
    disk.crash();
    if (disk.exists("f")) {
      ++there;
      EXPECT_EQ(content(disk, "f"), "x");
    }
  }
  EXPECT_GT(there, 10);
  EXPECT_LT(there, 90);
}

// Goal: a rename survives whole or not at all. Method: replace a file many times over, crash.
TEST(SimDisk, ReplacedFilesAreOldOrNew) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.replace_file("f", "old"));
    disk.stop_at(disk.operations() + seed % 5);
    (void)disk.replace_file("f", "new!");
    disk.crash();
    const std::string after = content(disk, "f");
    EXPECT_TRUE(after == "old" || after == "new!") << after;
  }
}

// Goal: a sync that failed is not made good by a later one. Method: fail one, sync again, crash.
TEST(SimDisk, AFailedSyncLosesForGood) {
  SimDisk disk(1);
  const auto file = create(disk, "f");
  ASSERT_TRUE(disk.sync_directory(""));
  ASSERT_TRUE(file->write_at(base::as_bytes("lost"), 0));
  disk.faults.fail_sync = disk.syncs();
  EXPECT_EQ(file->sync_data().error().code, EIO);
  ASSERT_TRUE(file->sync_data());
  EXPECT_EQ(content(disk, "f"), "lost");
  disk.crash();
  EXPECT_EQ(content(disk, "f"), "");
}

// Goal: a full disk takes what fits and no more, and goes on when there is room. Method: as it
// says.
TEST(SimDisk, FillsUp) {
  SimDisk disk(1);
  const auto file = create(disk, "f");
  disk.faults.capacity_bytes = 5;
  EXPECT_EQ(file->write_at(base::as_bytes("12345678"), 0).error().code, ENOSPC);
  EXPECT_EQ(content(disk, "f"), "12345");
  EXPECT_TRUE(file->write_at(base::as_bytes("abc"), 1));
  EXPECT_EQ(disk.open("g", io::OpenMode::kCreate).error().code, ENOSPC);
  EXPECT_EQ(disk.space("f")->free_bytes, 0u);
  ASSERT_TRUE(file->truncate(2));
  EXPECT_TRUE(disk.open("g", io::OpenMode::kCreate));
}

// Goal: the same seed and calls give the same images, and a stop changes nothing after it. Method:
// two disks, digests.
TEST(SimDisk, IsDeterministic) {
  const auto life = [](std::uint64_t seed) {
    SimDisk disk(seed);
    disk.stop_at(7);
    for (int i = 0; i < 6; ++i) {
      auto file = disk.open("f" + std::to_string(i), io::OpenMode::kCreate);
      if (file) (void)(*file)->write_at(base::as_bytes("some bytes"), 0);
    }
    EXPECT_TRUE(disk.stopped());
    disk.crash();
    return disk.digest();
  };
  EXPECT_EQ(life(4), life(4));
}

// Goal: locks belong to a process. Method: take one twice, then end the process.
TEST(SimDisk, LocksEndWithTheProcess) {
  SimDisk disk(1);
  ASSERT_TRUE(disk.make_directories("d"));
  auto lock = disk.lock("d");
  ASSERT_TRUE(lock);
  EXPECT_EQ(disk.lock("d").error().code, EWOULDBLOCK);
  disk.kill_process();
  auto again = disk.lock("d");
  ASSERT_TRUE(again);
  lock->reset();
  EXPECT_EQ(disk.lock("d").error().code, EWOULDBLOCK);
}

}  // namespace
}  // namespace sim
