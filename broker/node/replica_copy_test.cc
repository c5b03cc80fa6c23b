// A replica that is copied to another log directory while its log is cut, or its disk has no space.
#include "broker/node/replica_copy.h"

#include <gtest/gtest.h>

#include "broker/node/test_replicas.h"

namespace broker {
namespace {

using namespace std::chrono_literals;
using base::Offset;
using test::Replica;
using test::Replicas;

constexpr int kStepsMax = 400;

// Broker 2 follows broker 1, is far ahead of broker 3, and can move its replica.
struct Scene {
  Scene() {
    for (int i = 0; i < 10; ++i) replicas.append(one, "a" + std::to_string(i), false);
    replicas.catch_up(three);
    for (int i = 10; i < 30; ++i) replicas.append(one, "a" + std::to_string(i), false);
    replicas.catch_up(two);
    two.open_other();
    // As after DeleteRecords.
    one.partition->with_log([](Log& log) { ASSERT_TRUE(log.advance_start(Offset(3))); });
    replicas.fetch(two);
    replicas.fetch(three);
  }

  // Broker 3 leads, without the last twenty records, and writes as many others.
  void lead_without_the_last() {
    replicas.elect(3);
    replicas.announce();
    for (int i = 0; i < 20; ++i) replicas.append(three, "b" + std::to_string(i), false);
    replicas.flush(three);
    replicas.catch_up(two);
  }

  bool in_other() const { return two.partition->directory() == two.other->directory.get(); }

  Replicas replicas{1};
  Replica& one = replicas.at(1);
  Replica& two = replicas.at(2);
  Replica& three = replicas.at(3);
};

// Goal: what a new leader cuts off a log is not in the copy that takes its place. Method: such a
// cut after each step of the copying in turn, which goes by the smallest steps.
TEST(ReplicaCopy, IsCutWithItsLog) {
  int cuts = 0;
  for (int before = 0; before < kStepsMax; ++before) {
    Scene scene;
    ReplicaCopy copy = scene.two.copy_to_other();
    auto step = ReplicaCopy::Step::kMore;
    for (int i = 0; i < before && step != ReplicaCopy::Step::kDone; ++i) step = copy.step(1);
    const bool over = step == ReplicaCopy::Step::kDone;
    scene.lead_without_the_last();
    for (int i = 0; i < kStepsMax && step != ReplicaCopy::Step::kDone; ++i) {
      ASSERT_NE(step, ReplicaCopy::Step::kFailed);
      step = copy.step(1);
    }
    ASSERT_EQ(step, ReplicaCopy::Step::kDone) << "cut after " << before << " steps";
    ASSERT_TRUE(scene.in_other());
    EXPECT_EQ(scene.two.content(), scene.three.content()) << "cut after " << before << " steps";
    EXPECT_FALSE(scene.two.disk.exists("/data/t-0"));
    scene.replicas.append(scene.three, "last", false);
    scene.replicas.catch_up(scene.two);
    EXPECT_EQ(scene.two.content(), scene.three.content());
    ASSERT_FALSE(scene.replicas.world.failed()) << scene.replicas.world.why();
    if (over) break;
    ++cuts;
  }
  EXPECT_GT(cuts, 20);
}

// Goal: a move that finds no space ends and leaves nothing behind; what was acknowledged stays, the
// partition goes on, and another try does it. Method: more and more room on the disk.
TEST(ReplicaCopy, EndsWithoutSpace) {
  int ended = 0;
  for (std::uint64_t room = 0; room < 20'000; room += 100) {
    Scene scene;
    Replica& two = scene.two;
    const auto space = two.disk.space("/");
    two.disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + room;
    const auto content = two.content();
    ReplicaCopy copy = two.copy_to_other();
    auto step = ReplicaCopy::Step::kMore;
    for (int i = 0; i < kStepsMax && step == ReplicaCopy::Step::kMore; ++i) step = copy.step(300);
    EXPECT_EQ(two.content(), content) << room;
    EXPECT_FALSE(two.store->failed() || two.other->failed()) << room;
    if (step == ReplicaCopy::Step::kDone) break;
    ASSERT_EQ(step, ReplicaCopy::Step::kFailed) << room;
    ++ended;
    copy.discard();
    EXPECT_FALSE(scene.in_other());
    for (const auto& each : *two.disk.list("/other")) EXPECT_FALSE(each.is_directory) << each.name;
    two.disk.faults.capacity_bytes.reset();
    two.other->directory->try_space();
    scene.lead_without_the_last();
    EXPECT_EQ(two.content(), scene.three.content());
    ReplicaCopy again = two.copy_to_other();
    step = ReplicaCopy::Step::kMore;
    for (int i = 0; i < kStepsMax && step == ReplicaCopy::Step::kMore; ++i) step = again.step(300);
    EXPECT_EQ(step, ReplicaCopy::Step::kDone);
    EXPECT_EQ(two.content(), scene.three.content());
    EXPECT_TRUE(scene.in_other());
    EXPECT_FALSE(two.disk.exists("/data/t-0"));
    ASSERT_FALSE(scene.replicas.world.failed()) << scene.replicas.world.why();
  }
  EXPECT_GT(ended, 10);
}

}  // namespace
}  // namespace broker
