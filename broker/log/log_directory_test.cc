#include "broker/log/log_directory.h"

#include <algorithm>

#include "broker/log/test_log.h"

namespace broker {
namespace {

const PartitionName kName{"topic", 3};
constexpr base::Uuid kTopicId{7, 8};

class LogDirectoryTest : public ::testing::Test {
 protected:
  io::IoResult<std::unique_ptr<LogDirectory>> try_open(std::string cluster = "cluster",
                                                       int node = 1) {
    return LogDirectory::open(disk, "data", cluster, base::BrokerId(node), random, diag, {});
  }
  void open() {
    directory.reset();
    auto opened = try_open();
    if (!opened) throw std::runtime_error(opened.error().what);
    directory = std::move(*opened);
  }
  void append(Log& log) {
    base::Bytes batch = make_batch({});
    const base::MutableBytes view(batch);
    ASSERT_TRUE(log.append({&view, 1}, base::LeaderEpoch(0), 0));
  }

  sim::SimDisk disk{3};
  base::Random random{4};
  base::SilentDiag diag;
  std::unique_ptr<LogDirectory> directory;
};

// Goal: a directory gets an identity once, and is refused to others. Method: open it as several.
TEST_F(LogDirectoryTest, KeepsItsIdentity) {
  open();
  const base::Uuid id = directory->identity().directory_id;
  EXPECT_EQ(try_open().error().code, EWOULDBLOCK);
  EXPECT_EQ(disk.read_file("data/meta.properties"),
            "#\nversion=1\ncluster.id=cluster\nnode.id=1\ndirectory.id=" + id.to_string() + "\n");
  directory.reset();
  EXPECT_EQ(try_open("other").error().code, EINVAL);
  EXPECT_EQ(try_open("cluster", 2).error().code, EINVAL);
  open();
  EXPECT_EQ(directory->identity().directory_id, id);
}

// Goal: a broker can tell the id of its directory before the directory exists, and finds it there
// afterwards; an id that is on the disk already is not replaced.
TEST_F(LogDirectoryTest, TakesTheIdThatWasTold) {
  EXPECT_TRUE(LogDirectory::look_at(disk, "data")->directory_id.is_zero());
  const auto open_as = [&](base::Uuid id) {
    return (*LogDirectory::open(disk, "data", "cluster", base::BrokerId(1), random, diag,
                                {.new_id = id}))
        ->identity()
        .directory_id;
  };
  EXPECT_EQ(open_as(base::Uuid{1, 2}), (base::Uuid{1, 2}));
  EXPECT_EQ(LogDirectory::look_at(disk, "data")->directory_id, (base::Uuid{1, 2}));
  EXPECT_EQ(open_as(base::Uuid{3, 4}), (base::Uuid{1, 2}));
}

// Goal: a file that Kafka wrote is understood, nonsense is refused. Method: both.
TEST_F(LogDirectoryTest, ReadsKafkasIdentity) {
  ASSERT_TRUE(disk.make_directories("data"));
  const std::string id = kTopicId.to_string();
  ASSERT_TRUE(disk.replace_file("data/meta.properties",
                                "#\n#Sat Nov 21 08:00:00 UTC 2026\ncluster.id=cluster\n"
                                "directory.id=" +
                                    id + "\nnode.id=1\nversion=1\n"));
  open();
  EXPECT_EQ(directory->identity().directory_id, kTopicId);
  directory.reset();
  for (const char* bad : {"", "version=0\ncluster.id=cluster\nnode.id=1\n",
                          "version=1\ncluster.id=cluster\nnode.id=x\n", "garbage"}) {
    ASSERT_TRUE(disk.replace_file("data/meta.properties", bad));
    EXPECT_EQ(try_open().error().code, EBADMSG) << bad;
  }
}

// Goal: what a failed sync left in memory only is on the medium before anybody relies on it,
// although power was not lost in between. Method: fail the sync of an append, open again as a new
// process does, append and flush behind it, lose power, and look for all of it. Seeds, as a crash
// draws.
TEST_F(LogDirectoryTest, FailedSyncIsMendedByTheNextProcess) {
  open();
  auto log = *directory->create_partition(kName, kTopicId, {}, 0);
  append(*log);
  FlushBatch batch = log->take_unflushed();
  disk.faults.fail_sync = disk.syncs();
  const auto failed = batch.sync(disk);
  ASSERT_FALSE(failed);
  directory->health().fail(failed.error());
  log.reset();
  directory.reset();
  disk.kill_process();

  open();
  auto opened = directory->open_partition(kName, {}, 0);
  ASSERT_TRUE(opened);
  log = std::move(opened->log);
  ASSERT_EQ(log->end_offset(), base::Offset(1));
  append(*log);
  batch = log->take_unflushed();
  ASSERT_TRUE(batch.sync(disk));
  log->mark_flushed(batch);
  ASSERT_EQ(log->durable_end(), base::Offset(2));
  log.reset();
  directory.reset();
  disk.crash();

  open();
  opened = directory->open_partition(kName, {}, 0);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->log->end_offset(), base::Offset(2));
}

// Goal: the end of a node with many partitions that nobody wrote to is not a row of syncs. Method:
// close one, count the operations of the disk, open it again as after a clean end.
TEST_F(LogDirectoryTest, ClosingAnEmptyLogWritesNothing) {
  open();
  auto log = *directory->create_partition(kName, kTopicId, {}, 0);
  const auto before = disk.operations();
  ASSERT_TRUE(log->close());
  EXPECT_EQ(disk.operations(), before);
  log.reset();
  ASSERT_TRUE(directory->close_clean(base::BrokerEpoch(-1)));
  open();
  EXPECT_TRUE(directory->was_clean());
  const auto opened = directory->open_partition(kName, {}, 0);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->log->end_offset(), base::Offset(0));
}

// Goal: a disk that refuses to make a partition ends the service of the directory, a full one does
// not. Method: both.
TEST_F(LogDirectoryTest, OnlyAFullDiskMayRefuseToCreate) {
  open();
  disk.faults.capacity_bytes = 0;
  EXPECT_EQ(directory->create_partition(kName, kTopicId, {}, 0).error().code, ENOSPC);
  EXPECT_FALSE(directory->failed());
  disk.faults.capacity_bytes.reset();
  disk.faults.fail_operation = disk.operations();
  EXPECT_EQ(directory->create_partition(kName, kTopicId, {}, 0).error().code, EIO);
  EXPECT_TRUE(directory->failed());
}

// Goal: what stands in the place of a partition keeps that one from being made, and no other; a
// checkpoint that names it is left as it is. Method: a file, and a directory with records.
TEST_F(LogDirectoryTest, WhatIsInTheWayIsOfOnePartition) {
  open();
  ASSERT_TRUE(disk.replace_file(directory->partition_path(kName), "a file"));
  EXPECT_EQ(directory->create_partition(kName, kTopicId, {}, 0).error().code, ENOTDIR);
  const PartitionName other{"other", 0};
  const std::string path = directory->partition_path(other);
  ASSERT_TRUE(disk.make_directories(path));
  ASSERT_TRUE(disk.replace_file(path + "/00000000000000000000.log", "records"));
  directory->note_start(other, base::Offset(5));
  EXPECT_EQ(directory->create_partition(other, kTopicId, {}, 0).error().code, EEXIST);
  EXPECT_EQ(directory->start_of(other), base::Offset(5));
  ASSERT_TRUE(directory->write_starts());
  EXPECT_EQ(directory->create_partition(other, kTopicId, {}, 0).error().code, EEXIST);
  EXPECT_EQ(disk.read_file("data/log-start-offset-checkpoint"), "0\n1\nother 0 5\n");
  EXPECT_EQ(disk.read_file(path + "/00000000000000000000.log"), "records");
  EXPECT_FALSE(directory->failed());
  EXPECT_TRUE(directory->create_partition({"third", 0}, kTopicId, {}, 0));
}

// Goal: the marker of a clean end is believed once. Method: two starts after one clean end.
TEST_F(LogDirectoryTest, CleanMarkerIsTakenAway) {
  open();
  EXPECT_FALSE(directory->was_clean());
  ASSERT_TRUE(directory->close_clean(base::BrokerEpoch(9)));
  EXPECT_EQ(disk.read_file("data/.kafka_cleanshutdown"), "{\"version\":0,\"brokerEpoch\":9}");
  open();
  EXPECT_TRUE(directory->was_clean());
  open();
  EXPECT_FALSE(directory->was_clean());
}

// Goal: partitions are made, found with their ids, and opened with what the checkpoints say.
// Method: a life with a crash at its end.
TEST_F(LogDirectoryTest, PartitionsComeBack) {
  open();
  auto log = directory->create_partition(kName, kTopicId, {}, 0);
  ASSERT_TRUE(log);
  for (int i = 0; i < 4; ++i) append(**log);
  const FlushBatch batch = (*log)->take_unflushed();
  ASSERT_TRUE(batch.sync(disk));
  (*log)->mark_flushed(batch);
  ASSERT_TRUE((*log)->advance_start(base::Offset(2)));
  directory->note_start(kName, base::Offset(2));
  directory->note_recovery_point(kName, base::Offset(4));
  directory->note_high_watermark(kName, base::Offset(4));
  ASSERT_TRUE(directory->write_starts());
  ASSERT_TRUE(directory->write_recovery_points());
  ASSERT_TRUE(directory->write_high_watermarks());
  EXPECT_EQ(disk.read_file("data/replication-offset-checkpoint"), "0\n1\ntopic 3 4\n");
  EXPECT_EQ(directory->create_partition(kName, kTopicId, {}, 0).error().code, EEXIST);
  log->reset();
  disk.crash();
  open();
  const auto found = directory->partitions();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].name, kName);
  EXPECT_EQ((*found)[0].topic_id, kTopicId);
  auto opened = directory->open_partition(kName, {}, 0);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->log->start_offset(), base::Offset(2));
  EXPECT_EQ(opened->log->end_offset(), base::Offset(4));
  EXPECT_EQ(opened->log->topic_id(), kTopicId);
  EXPECT_TRUE(opened->report.scanned);
}

// Goal: partitions whose directories wait for one sync are there after it; a crash before it leaves
// nothing that stands in the way. Method: many crashes, before the sync and after it; then each is
// opened or made again.
TEST_F(LogDirectoryTest, CreatedTogetherSurvivesFromTheSyncOn) {
  constexpr int kPartitions = 12;
  for (int round = 0; round < 60; ++round) {
    disk.faults = {};
    open();
    const std::string topic = "topic" + std::to_string(round);
    const base::Uuid id{7, static_cast<std::uint64_t>(round)};
    for (int i = 0; i < kPartitions; ++i) {
      ASSERT_TRUE(
          directory->create_partition({topic, i}, id, {}, 0, LogDirectory::Durable::kLater));
    }
    const bool synced = round % 2 == 0;
    if (synced) {
      ASSERT_TRUE(directory->sync_created());
    }
    disk.crash();
    open();
    const auto all = directory->partitions();
    ASSERT_TRUE(all);
    for (const LogDirectory::Found& found : *all) EXPECT_TRUE(found.topic_id);
    for (int i = 0; i < kPartitions; ++i) {
      const auto at = std::ranges::find(*all, PartitionName{topic, i}, &LogDirectory::Found::name);
      if (synced) {
        ASSERT_NE(at, all->end());
      }
      if (at != all->end()) {
        EXPECT_EQ(at->topic_id, id);
        auto opened = directory->open_partition({topic, i}, {}, 0);
        ASSERT_TRUE(opened);
        EXPECT_EQ(opened->log->end_offset(), base::Offset(0));
      } else {
        EXPECT_TRUE(directory->create_partition({topic, i}, id, {}, 0));
      }
    }
  }
}

// Goal: a deleted partition stays deleted, its files go, and its name starts anew. Method: delete,
// crash, create again.
TEST_F(LogDirectoryTest, DeletedPartitionsStayDeleted) {
  open();
  auto log = directory->create_partition(kName, kTopicId, {}, 0);
  ASSERT_TRUE(log);
  append(**log);
  directory->note_recovery_point(kName, base::Offset(1));
  ASSERT_TRUE(directory->write_recovery_points());
  log->reset();
  const auto path = directory->delete_partition(kName, random);
  ASSERT_TRUE(path);
  EXPECT_TRUE(path->starts_with("data/topic-3."));
  EXPECT_TRUE(path->ends_with("-delete"));
  EXPECT_TRUE(directory->partitions()->empty());
  disk.crash();
  open();
  EXPECT_TRUE(directory->partitions()->empty());
  EXPECT_FALSE(disk.exists(*path));
  auto again = directory->create_partition(kName, base::Uuid{1, 1}, {}, 0);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->end_offset(), base::Offset(0));
  // The old recovery point must not make the new, empty log look damaged.
  again->reset();
  disk.crash();
  open();
  EXPECT_TRUE(directory->open_partition(kName, {}, 0));
}

// Goal: what is damaged below the recovery point is refused, not cut off in silence, unless told
// so. Method: flip a bit of a durable record.
TEST_F(LogDirectoryTest, DamageBelowTheRecoveryPointIsSaid) {
  open();
  auto log = directory->create_partition(kName, kTopicId, {}, 0);
  ASSERT_TRUE(log);
  for (int i = 0; i < 4; ++i) append(**log);
  const FlushBatch batch = (*log)->take_unflushed();
  ASSERT_TRUE(batch.sync(disk));
  (*log)->mark_flushed(batch);
  directory->note_recovery_point(kName, base::Offset(4));
  ASSERT_TRUE(directory->write_recovery_points());
  const std::uint64_t size = (*log)->size_bytes();
  log->reset();
  disk.crash();
  disk.flip_bit("data/topic-3/00000000000000000000.log", size / 2 + 30, 3);
  open();
  EXPECT_EQ(directory->open_partition(kName, {}, 0).error().code, EBADMSG);
  const auto opened = directory->open_partition(kName, {}, 0, true);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->report.lost_below_recovery_point);
  EXPECT_EQ(opened->log->end_offset(), base::Offset(2));
  EXPECT_EQ(opened->report.truncated_bytes, size / 2);
}

// Goal: many files need few descriptors. Method: a cache of eight for a hundred files.
TEST(FileCache, KeepsToItsBound) {
  sim::SimDisk disk(1);
  FileCache cache(disk, 8);
  std::vector<std::unique_ptr<CachedFile>> files;
  for (int i = 0; i < 100; ++i) {
    const std::string path = "f" + std::to_string(i);
    ASSERT_TRUE(disk.open(path, io::OpenMode::kCreate));
    files.push_back(std::make_unique<CachedFile>(cache, path));
    ASSERT_TRUE(files.back()->get());
  }
  EXPECT_LE(cache.open_count(), 8u);
  for (auto& file : files) ASSERT_TRUE(file->get());
  EXPECT_LE(cache.open_count(), 8u);
  EXPECT_EQ(cache.close_idle(), 0u);
  ASSERT_TRUE(files[5]->get());
  EXPECT_GT(cache.close_idle(), 0u);
  EXPECT_TRUE(files[5]->peek());
  EXPECT_EQ(cache.open_count(), 1u);
  files.clear();
  EXPECT_EQ(cache.open_count(), 0u);
}

}  // namespace
}  // namespace broker
