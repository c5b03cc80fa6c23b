// Several log directories of one broker.
#include "broker/log/log_directories.h"

#include <gtest/gtest.h>

#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"

namespace broker {
namespace {

class Directories : public testing::Test {
 protected:
  ~Directories() override {
    open_.reset();
    executor.kill();
  }
  io::IoResult<LogDirectories::Left> look() {
    base::Random random(7);
    return LogDirectories::look_at(disk, {"/a", "/b", "/c"}, random);
  }
  io::IoResult<void> open() {
    auto left = look();
    if (!left) return std::unexpected(left.error());
    base::Random random(8);
    auto opened = LogDirectories::open({disk, executor, clock, diag}, *left, "cluster",
                                       base::BrokerId(1), random);
    if (!opened) return std::unexpected(opened.error());
    open_ = std::move(*opened);
    return {};
  }
  LogStore* create(const std::string& topic) {
    LogStore* store = open_->take_place();
    EXPECT_TRUE(store->directory->create_partition({topic, 0}, {1, 1}, LogConfig{}, 0));
    return store;
  }

  sim::World world{5};
  sim::SimDisk disk{5};
  sim::SimExecutor executor{world, "broker"};
  sim::SimClock clock{world};
  base::SilentDiag diag;
  std::unique_ptr<LogDirectories> open_;
};

// Goal: each directory has an id of its own, which stays; what one holds is found there.
TEST_F(Directories, HaveIdsAndHoldPartitions) {
  ASSERT_TRUE(open());
  const auto ids = std::set{open_->all()[0]->id(), open_->all()[1]->id(), open_->all()[2]->id()};
  EXPECT_EQ(ids.size(), 3u);
  LogStore* store = create("t");
  EXPECT_EQ(*open_->holding({"t", 0}), store);
  EXPECT_EQ(*open_->holding({"t", 1}), nullptr);
  const std::string path = store->directory->path();
  open_.reset();
  ASSERT_TRUE(open());
  for (const auto& each : open_->all()) EXPECT_TRUE(ids.contains(each->id()));
  ASSERT_NE(*open_->holding({"t", 0}), nullptr);
  EXPECT_EQ((*open_->holding({"t", 0}))->directory->path(), path);
}

// Goal: a new partition goes where the fewest are; full directories are the last resort, failed
// ones none.
TEST_F(Directories, NewPartitionGoesWhereTheFewestAre) {
  ASSERT_TRUE(open());
  std::map<std::string, int> counts;
  for (int i = 0; i < 9; ++i) ++counts[create("t" + std::to_string(i))->directory->path()];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"/a", 3}, {"/b", 3}, {"/c", 3}}));
  open_.reset();
  ASSERT_TRUE(open());  // they are counted again
  open_->all()[0]->directory->health().note_full();
  EXPECT_EQ(open_->take_place()->directory->path(), "/b");
  EXPECT_EQ(open_->take_place()->directory->path(), "/c");
  open_->all()[1]->directory->health().fail({EIO, "gone"});
  open_->all()[2]->directory->health().fail({EIO, "gone"});
  EXPECT_EQ(open_->take_place()->directory->path(), "/a");
  EXPECT_FALSE(open_->failure().has_value());
  open_->all()[0]->directory->health().fail({EIO, "gone"});
  EXPECT_EQ(open_->take_place(), nullptr);
  EXPECT_TRUE(open_->failure().has_value());
}

// Goal: of one partition in two directories the one counts that the metadata knows; nothing is
// guessed.
TEST_F(Directories, PartitionInTwoIsRefused) {
  ASSERT_TRUE(open());
  for (const auto& store : open_->all()) {
    ASSERT_TRUE(disk.make_directories(store->directory->partition_path({"t", 0})));
  }
  EXPECT_EQ(open_->holding({"t", 0}).error().code, EEXIST);
  LogStore* told = open_->all()[1].get();
  EXPECT_EQ(*open_->holding({"t", 0}, told->id()), told);
  EXPECT_EQ(open_->holding({"t", 0}, base::Uuid{7, 7}).error().code, EEXIST);
}

// Goal: what was left of a replica in a directory that was out of reach when it was taken away is
// never taken for the one that was made since in another directory, whichever of the two can be
// read. Method: of three directories two hold the partition, one is told; then that one dies.
TEST_F(Directories, WhatWasLeftElsewhereDoesNotCount) {
  ASSERT_TRUE(open());
  LogStore* stale = open_->all()[0].get();
  LogStore* told = open_->all()[1].get();
  const base::Uuid told_id = told->id();
  for (LogStore* store : {stale, told}) {
    ASSERT_TRUE(disk.make_directories(store->directory->partition_path({"t", 0})));
  }
  open_.reset();
  ASSERT_TRUE(open());
  told = open_->all()[1].get();
  EXPECT_EQ(*open_->holding({"t", 0}, told_id), told);
  const auto leftovers = open_->leftovers({"t", 0}, *told);
  ASSERT_EQ(leftovers.size(), 1U);
  EXPECT_EQ(leftovers[0]->directory->path(), "/a");
  open_.reset();  // it could not be set aside
  disk.faults.dead = {"/b"};
  ASSERT_TRUE(open());
  EXPECT_EQ(open_->holding({"t", 0}, told_id).error().code, EIO);
  EXPECT_EQ((*open_->holding({"t", 0}))->directory->path(), "/a");
  open_.reset();
  disk.faults.dead.clear();
  ASSERT_TRUE(open());
  EXPECT_EQ((*open_->holding({"t", 0}, told_id))->directory->path(), "/b");
}

// Goal: what is set aside is kept under a name that a file may have, is never overwritten by the
// next one, and nothing is remembered of it. Method: the longest topic name, twice.
TEST_F(Directories, SetAsideKeepsEachUnderAName) {
  ASSERT_TRUE(open());
  const PartitionName name{std::string(249, 'x'), 12345};
  const base::Uuid topic{1, 2};
  LogDirectory& directory = *open_->all()[0]->directory;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(directory.create_partition(name, topic, LogConfig{}, 0));
    directory.note_high_watermark(name, base::Offset(7));
    ASSERT_TRUE(directory.set_aside(name, topic, "says the test"));
    EXPECT_FALSE(disk.exists(directory.partition_path(name)));
    EXPECT_FALSE(directory.high_watermark_of(name).has_value());
    EXPECT_EQ(*open_->holding(name), nullptr);
  }
  int strays = 0;
  for (const auto& entry : *disk.list(directory.path())) {
    EXPECT_LE(entry.name.size(), 255U);
    strays += entry.name.ends_with("-stray") ? 1 : 0;
  }
  EXPECT_EQ(strays, 2);
}

// Goal: a directory that cannot be read leaves the others in service, and says so; what belongs to
// another cluster is a mistake that ends the start; nothing readable does as well.
TEST_F(Directories, UnreadableOneIsToldApart) {
  ASSERT_TRUE(open());
  const base::Uuid a = open_->all()[0]->id();
  open_.reset();
  disk.faults.dead = {"/b"};
  auto left = look();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->some_failed());
  EXPECT_EQ(left->ids().size(), 2u);
  ASSERT_TRUE(open());
  EXPECT_EQ(open_->all().size(), 2u);
  ASSERT_EQ(open_->unreadable().size(), 1u);
  EXPECT_EQ(open_->unreadable()[0].path, "/b");
  EXPECT_TRUE(open_->is_out_of_reach({1, 2}));  // it may be the one that cannot be read
  EXPECT_FALSE(open_->is_out_of_reach(a));
  open_.reset();
  disk.faults.dead = {"/a", "/b", "/c"};
  EXPECT_FALSE(look());
  disk.faults.dead.clear();
  ASSERT_TRUE(disk.replace_file("/b/meta.properties", "version=1\ncluster.id=x\nnode.id=1\n"));
  EXPECT_EQ(open().error().code, EINVAL);
}

// Goal: a partition that was there is never taken for one that is not because its directory died or
// was unmounted, while others can be made elsewhere; what was deleted is gone.
TEST_F(Directories, PartitionOfADeadOneIsNotTakenForANewOne) {
  for (const bool unmounted : {false, true}) {
    ASSERT_TRUE(open());
    const std::string kept = unmounted ? "kept2" : "kept", gone = unmounted ? "gone2" : "gone";
    LogStore* store = create(kept);
    ASSERT_TRUE(store->directory->create_partition({gone, 0}, {1, 2}, LogConfig{}, 0));
    open_.reset();
    ASSERT_TRUE(open());
    store = *open_->holding({kept, 0});
    ASSERT_NE(store, nullptr);
    base::Random random(9);
    ASSERT_TRUE(store->directory->delete_partition({gone, 0}, random));
    EXPECT_EQ(open_->lost_with({kept, 0}), nullptr);
    const std::string path = store->directory->path();
    if (unmounted) {
      ASSERT_TRUE(disk.rename(path, "/elsewhere"));
      ASSERT_TRUE(disk.make_directories(path));
    } else {
      disk.faults.dead = {path};
    }
    EXPECT_EQ(*open_->holding({"new", 0}), nullptr);
    EXPECT_EQ(*open_->holding({gone, 0}), nullptr);
    EXPECT_FALSE(store->failed());
    EXPECT_FALSE(open_->holding({kept, 0}));
    EXPECT_TRUE(store->failed());
    EXPECT_EQ(open_->lost_with({kept, 0}), store);
    EXPECT_EQ(open_->lost_with({gone, 0}), nullptr);
    EXPECT_EQ(*open_->holding({"new", 0}), nullptr);
    disk.faults.dead.clear();
    open_.reset();
  }
}

// Goal: the end was clean only if it was in every directory.
TEST_F(Directories, CleanEndIsOfAll) {
  ASSERT_TRUE(open());
  for (const auto& store : open_->all()) {
    ASSERT_TRUE(store->directory->close_clean(base::BrokerEpoch(4)));
  }
  open_.reset();
  EXPECT_EQ(look()->clean_epoch, base::BrokerEpoch(4));
  ASSERT_TRUE(disk.remove("/b/.kafka_cleanshutdown"));
  EXPECT_EQ(look()->clean_epoch, base::BrokerEpoch(-1));
}

// Goal: a full disk is told once, and forgotten when a try finds space.
TEST_F(Directories, FullDiskIsTriedAgain) {
  ASSERT_TRUE(open());
  LogDirectory& directory = *open_->all()[1]->directory;
  int told = 0;
  directory.health().on_full([&] { ++told; });
  directory.health().note_full();
  directory.health().note_full();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(open_->full_ids(), std::vector<base::Uuid>{open_->all()[1]->id()});
  disk.faults.capacity_bytes = 1000;
  directory.try_space();
  EXPECT_TRUE(directory.health().full());
  disk.faults.capacity_bytes.reset();
  directory.try_space();
  EXPECT_FALSE(directory.health().full());
  EXPECT_FALSE(directory.failed());
  directory.health().note_full();
  EXPECT_EQ(told, 2);
}

// Goal: at a start, a copy that did not count yet is a future again and the log is where it was;
// one that counted is the log, and what it was copied from is gone. Method: the steps of a move by
// hand, with the process killed in between.
TEST_F(Directories, FindAMoveAsFarAsItCame) {
  ASSERT_TRUE(open());
  LogStore* from = create("t");
  LogStore* to = open_->all()[from == open_->all()[1].get() ? 2 : 1].get();
  const std::string was = from->directory->path();
  const std::string path = to->directory->path();
  const PartitionName name{"t", 0};
  base::Random random(9);
  auto future = to->directory->create_future(name, {1, 1}, base::Offset(0), LogConfig{}, 0, random);
  ASSERT_TRUE(future);
  ASSERT_TRUE(to->directory->place_future(*future, from->id(), 0));
  EXPECT_TRUE(to->directory->holds(name));
  EXPECT_EQ(to->directory->create_future(name, {1, 1}, base::Offset(0), LogConfig{}, 0, random)
                .error()
                .code,
            EEXIST);
  *future = {};

  open_.reset();
  disk.crash();
  ASSERT_TRUE(open());
  EXPECT_EQ((*open_->holding(name))->directory->path(), was);
  to = open_->at(path);
  ASSERT_EQ(to->directory->left_futures().size(), 1u);
  EXPECT_EQ(to->directory->left_futures().front().name, name);
  EXPECT_FALSE(to->directory->holds(name));

  future = to->directory->create_future(name, {1, 1}, base::Offset(0), LogConfig{}, 0, random);
  ASSERT_TRUE(future);
  ASSERT_TRUE(to->directory->place_future(*future, open_->at(was)->id(), 0));
  ASSERT_TRUE(to->directory->adopt_placed(name, open_->at(was)->id()));
  *future = {};
  // As the metadata does not know of it yet.
  EXPECT_EQ((*open_->holding(name, open_->at(was)->id()))->directory->path(), path);
  open_.reset();
  disk.crash();
  ASSERT_TRUE(open());
  EXPECT_EQ((*open_->holding(name))->directory->path(), path);
  EXPECT_FALSE(open_->at(was)->directory->holds(name));
  const auto mark = open_->at(path)->directory->move_mark(name);
  ASSERT_TRUE(mark);
  EXPECT_FALSE(mark->has_value());
}

// Goal: names and marks are read back, and nothing else is taken for one.
TEST(MoveMark, IsReadBack) {
  const MoveMark mark{.counts = true, .origin = {3, 4}};
  const auto again = parse_move_mark(encode_move_mark(mark));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->counts);
  EXPECT_EQ(again->origin, mark.origin);
  EXPECT_FALSE(parse_move_mark("moved"));
  EXPECT_FALSE(parse_move_mark(""));
  EXPECT_EQ(parse_future_name("a.b-c-7.0123456789abcdef-future"), (PartitionName{"a.b-c", 7}));
  EXPECT_FALSE(parse_future_name("a-7"));
  EXPECT_FALSE(parse_future_name("a-7-future"));
  EXPECT_FALSE(PartitionName::parse("a.b-c-7.0123456789abcdef-future"));
}

}  // namespace
}  // namespace broker
