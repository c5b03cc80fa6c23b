// Rolls that may take more than one broker at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "operator/plan/nodes.h"
#include "operator/plan/test_world.h"

namespace kube {
namespace {

using test::installed;
using test::one_at_a_time;
using test::run;
using test::World;
using testing::ElementsAre;

// More than one at once where the spec allows it: never two of a rack, and never before the
// controllers know of those that are away already.
TEST(PlanRoll, RollsOneOfEachRackAtATime) {
  World world = installed({{"brokers", {{"replicas", 6}}}});
  for (auto& [id, broker] : world.brokers) broker.rack = id <= 3 ? "a" : "b";
  world.shares_nothing = true;
  world.cluster["spec"]["image"] = "moldau:2";
  world.cluster["spec"]["updatePolicy"] = {{"maxUnavailable", 3}};
  int most = 0;
  run(world, {}, [&] {
    std::map<std::string, int> away;
    for (const auto& [id, broker] : world.brokers) {
      const bool there = world.is_ready("demo-broker-" + std::to_string(id)) &&
                         !is_ending(world.pod("demo-broker-" + std::to_string(id)));
      if (!there) EXPECT_LE(++away[broker.rack], 1);
    }
    most = std::max(most, static_cast<int>(away["a"] + away["b"]));
    EXPECT_LE(world.not_ready("controller"), 1);
  });
  EXPECT_EQ(most, 2);
  EXPECT_EQ(world.restarted.size(), 9U);
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
}

TEST(PlanRoll, MoreAtOnceNeedTheControllersYesEach) {
  World world = installed({{"brokers", {{"replicas", 6}}}});
  world.cluster["spec"]["image"] = "moldau:2";
  world.cluster["spec"]["updatePolicy"] = {{"maxUnavailable", 3}};
  run(world, {}, one_at_a_time(world));  // any two have a partition in common
  EXPECT_EQ(world.restarted.size(), 9U);
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
}

// The first of a roll goes alone: what it cannot run costs one broker, not several.
TEST(PlanRoll, MoreAtOnceDoNotFollowAFailure) {
  World world = installed({{"brokers", {{"replicas", 6}}}});
  world.shares_nothing = true;
  world.broken_images = {"moldau:wrong"};
  world.cluster["spec"]["image"] = "moldau:wrong";
  world.cluster["spec"]["updatePolicy"] = {{"maxUnavailable", 3}};
  run(world, {}, one_at_a_time(world));
  EXPECT_THAT(world.restarted, ElementsAre("demo-broker-1"));
  EXPECT_EQ(world.condition("UpgradeBlocked"), "True PodStuck");
}

}  // namespace
}  // namespace kube
