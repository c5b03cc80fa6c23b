// What is told of log directories, and when a full one is tried again.
#include "broker/node/directory_watch.h"

#include <gtest/gtest.h>

#include "proto/controller.pb.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Watch : public testing::Test {
 protected:
  Watch() {
    base::Random random(7);
    auto left = LogDirectories::look_at(disk, {"/a", "/b"}, random);
    directories = std::move(*LogDirectories::open({disk, executor, clock, diag}, *left, "cluster",
                                                  base::BrokerId(1), random));
    node.partitions = &table;
    watch = std::make_unique<DirectoryWatch>(node, *directories, executor, [this] { ++told; });
  }
  ~Watch() override {
    watch->stop();
    executor.kill();
  }
  proto::HeartbeatRequest described() {
    proto::HeartbeatRequest request;
    watch->describe(request);
    return request;
  }
  LogHealth& health(std::size_t at) { return directories->all()[at]->directory->health(); }

  sim::World world{5};
  sim::SimDisk disk{5};
  sim::SimExecutor executor{world, "broker"};
  sim::SimClock clock{world};
  base::SilentDiag diag;
  config::BrokerConfig config = config::BrokerConfig::defaults();
  Node node{.config = config, .disk = disk, .clock = clock, .diag = diag};
  PartitionTable table;
  std::unique_ptr<LogDirectories> directories;
  std::unique_ptr<DirectoryWatch> watch;
  int told = 0;
};

// Goal: a failure is told at once and for ever.
TEST_F(Watch, FailureIsToldAtOnce) {
  EXPECT_EQ(described().failed_directory_ids_size(), 0);
  health(1).fail({EIO, "gone"});
  world.run_for(milliseconds(10));
  EXPECT_EQ(told, 1);
  ASSERT_EQ(described().failed_directory_ids_size(), 1);
  EXPECT_EQ(described().failed_directory_ids(0).low(), directories->all()[1]->id().low);
  EXPECT_EQ(described().full_directory_ids_size(), 0);
}

// Goal: a full disk is told, tried again, and told again when there is space; the sooner it is full
// again the longer it is let be.
TEST_F(Watch, FullDiskIsTriedAgain) {
  disk.faults.capacity_bytes = 100;
  health(0).note_full();
  world.run_for(milliseconds(10));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(described().full_directory_ids_size(), 1);
  world.run_for(seconds(5));
  EXPECT_EQ(described().full_directory_ids_size(), 1);
  disk.faults.capacity_bytes.reset();
  world.run_for(milliseconds(1500));
  EXPECT_EQ(told, 2);
  EXPECT_EQ(described().full_directory_ids_size(), 0);
  health(0).note_full();
  world.run_for(milliseconds(1500));
  EXPECT_EQ(described().full_directory_ids_size(), 1);
  world.run_for(milliseconds(1000));
  EXPECT_EQ(described().full_directory_ids_size(), 0);
  world.run_for(seconds(100));
  health(0).note_full();
  world.run_for(milliseconds(1500));
  EXPECT_EQ(described().full_directory_ids_size(), 0);
  EXPECT_EQ(told, 6);
}

}  // namespace
}  // namespace broker
