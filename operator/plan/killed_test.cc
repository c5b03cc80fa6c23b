// The operator is killed between any two actions, and another one takes over with nothing but what
// it sees.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plan/test_world.h"

namespace kube {
namespace {

using test::one_at_a_time;
using test::run;
using test::World;
using testing::IsEmpty;

// The operator is killed after each number of actions of a roll, a scale-up, a drain, a quorum that
// grows: it always gets there, and never takes two away.
void survives_being_killed(const Json& before, const Json& after, bool rolls) {
  for (int actions = 0; actions < 40; ++actions) {
    World world(before);
    run(world);
    world.cluster["spec"] = after;
    for (int round = 0; round < 6; ++round) {
      const Plan plan = world.plan();
      int left = actions % 7 + round % 2;
      for (const Action& action : plan.actions) {
        if (left-- == 0) break;
        world.act(action);
      }
      if (actions % 3 != 0) world.step();
    }
    const auto watch = one_at_a_time(world);
    run(world, {actions}, [&] {
      if (rolls) watch();
    });
    EXPECT_EQ(world.condition("Stable"), "True AsWanted") << actions;
    EXPECT_THAT(world.plan().actions, IsEmpty());
  }
}

TEST(KilledOperator, DoesNotStopARoll) {
  survives_being_killed(Json::object(), {{"image", "moldau:2"}}, true);
}
TEST(KilledOperator, DoesNotStopAConfigChange) {
  survives_being_killed(
      Json::object(), {{"config", {{"message.max.bytes", 2000000}, {"num.partitions", 3}}}}, true);
}
TEST(KilledOperator, DoesNotStopAScaleUp) {
  survives_being_killed(Json::object(), {{"brokers", {{"replicas", 5}}}}, false);
}
TEST(KilledOperator, DoesNotStopADrain) {
  survives_being_killed({{"brokers", {{"replicas", 5}}}}, {{"brokers", {{"replicas", 3}}}}, false);
}
TEST(KilledOperator, DoesNotStopAQuorumThatGrows) {
  survives_being_killed({{"controllers", {{"replicas", 1}}}}, {{"controllers", {{"replicas", 5}}}},
                        false);
}
TEST(KilledOperator, DoesNotStopAQuorumThatShrinks) {
  survives_being_killed({{"controllers", {{"replicas", 5}}}}, {{"controllers", {{"replicas", 1}}}},
                        false);
}

// Killed during the very first start.
TEST(KilledOperator, DoesNotStopAnInstallation) {
  for (int actions = 0; actions < 60; ++actions) {
    World world;
    run(world, {actions}, [] {});
    EXPECT_EQ(world.pods().size(), 6U) << actions;
    EXPECT_EQ(world.voters, (std::set{1, 2, 3})) << actions;
  }
}

}  // namespace
}  // namespace kube
