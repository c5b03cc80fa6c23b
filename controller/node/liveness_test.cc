#include "controller/node/liveness.h"

#include <gtest/gtest.h>

#include "common/meta/apply.h"
#include "tests/sim/sim_executor.h"

namespace controller {
namespace {

using std::chrono::milliseconds;

constexpr base::BrokerId kOne{1};
constexpr base::BrokerId kTwo{2};

// Sessions of 1000 ms, suspicion of 100 ms, on a clock that only the test moves.
class LivenessTest : public testing::Test {
 protected:
  LivenessTest()
      : liveness(executor, {milliseconds(1000), milliseconds(100)},
                 [this](base::BrokerId id, Liveness::End how) {
                   ended.push_back(id);
                   hows.push_back(how);
                 }) {}

  static meta::ImagePtr image() {
    proto::RecordBatch batch;
    for (int id : {1, 2, 3, 4}) {
      auto* broker = batch.add_records()->mutable_broker();
      broker->set_broker_id(id);
      broker->set_heartbeats(id != 3);
      broker->set_fenced(id == 4);
    }
    return meta::apply_entry(std::make_shared<const meta::Image>(), base::Offset(1), 1,
                             batch.SerializeAsString())
        ->image;
  }
  void pass(int ms) {
    executor.post([] {});  // the world looks at timers behind events
    world.run_for(milliseconds(ms));
  }

  sim::World world{1};
  sim::SimExecutor executor{world, "controller"};
  std::vector<base::BrokerId> ended;
  std::vector<Liveness::End> hows;
  Liveness liveness;
};

// Goal: on gaining the leadership everybody who sends heartbeats has a whole session; others and
// fenced brokers have none.
TEST_F(LivenessTest, LeadingOpensSessions) {
  liveness.lead(*image());
  pass(999);
  EXPECT_TRUE(ended.empty());
  pass(2);
  EXPECT_EQ(ended, (std::vector{kOne, kTwo}));
  EXPECT_EQ(hows, (std::vector{Liveness::End::kSilent, Liveness::End::kSilent}));
  pass(5000);
  EXPECT_EQ(ended.size(), 2u);
}

// Goal: each heartbeat prolongs by a whole session; only the silent one ends.
TEST_F(LivenessTest, HeartbeatsProlong) {
  liveness.lead(*image());
  for (int i = 0; i < 5; ++i) {
    pass(600);
    liveness.heard(kOne, i);
  }
  EXPECT_EQ(ended, (std::vector{kTwo}));
  EXPECT_EQ(liveness.applied(kOne), 4);
  pass(999);
  EXPECT_EQ(ended.size(), 1u);
  pass(2);
  EXPECT_EQ(ended.size(), 2u);
}

// Goal: a broken stream ends the session after the suspicion, unless a heartbeat or a stream comes;
// one of two streams is enough.
TEST_F(LivenessTest, BrokenStreamIsSuspect) {
  liveness.lead(*image());
  liveness.stream_up(kOne);
  liveness.stream_up(kOne);
  liveness.stream_down(kOne, false);
  pass(200);
  EXPECT_TRUE(ended.empty());
  liveness.stream_down(kOne, false);
  pass(90);
  liveness.heard(kOne, 0);
  pass(200);
  EXPECT_TRUE(ended.empty());
  liveness.stream_up(kOne);
  liveness.stream_down(kOne, false);
  pass(90);
  liveness.stream_up(kOne);
  pass(200);
  EXPECT_TRUE(ended.empty());
  liveness.stream_down(kOne, false);
  pass(101);
  EXPECT_EQ(ended, (std::vector{kOne}));
  EXPECT_EQ(hows, (std::vector{Liveness::End::kBroken}));
}

// Goal: who said that it would go is not waited for.
TEST_F(LivenessTest, LeavingEndsAtOnce) {
  liveness.lead(*image());
  liveness.stream_up(kOne);
  liveness.stream_down(kOne, true);
  pass(2);
  EXPECT_EQ(ended, (std::vector{kOne}));
}

// Goal: alive means both a recent heartbeat and a stream.
TEST_F(LivenessTest, AliveNeedsHeartbeatAndStream) {
  liveness.lead(*image());
  EXPECT_FALSE(liveness.alive(kOne));
  liveness.stream_up(kOne);
  EXPECT_FALSE(liveness.alive(kOne));
  liveness.heard(kOne, 7);
  EXPECT_TRUE(liveness.alive(kOne));
  liveness.stream_down(kOne, false);
  EXPECT_FALSE(liveness.alive(kOne));
  liveness.stream_up(kOne);
  EXPECT_TRUE(liveness.alive(kOne));
  liveness.registered(kOne);
  EXPECT_FALSE(liveness.alive(kOne));
}

// Goal: without the leadership nothing ends and nothing is known.
TEST_F(LivenessTest, FollowerKeepsQuiet) {
  liveness.lead(*image());
  liveness.heard(kOne, 7);
  liveness.follow();
  liveness.heard(kOne, 8);
  liveness.registered(kTwo);
  pass(5000);
  EXPECT_TRUE(ended.empty());
  EXPECT_EQ(liveness.applied(kOne), -1);
}

}  // namespace
}  // namespace controller
