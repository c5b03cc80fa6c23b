#include "operator/plan/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plan/status.h"
#include "operator/plan/test_world.h"

namespace kube {
namespace {

using test::installed;
using test::run;
using test::World;
using testing::HasSubstr;
using testing::IsEmpty;

std::string advertised(World& world, const std::string& pod) {
  return (*world.pod(pod))["spec"]["containers"][0]["env"][1]["value"].get<std::string>();
}

std::string file_of(World& world, const std::string& pod) {
  return (*world.at("ConfigMap/" + pod + "-config"))["data"]["broker.yaml"].get<std::string>();
}

Json two_listeners(Json outside) {
  outside["name"] = "outside";
  outside["port"] = 9095;
  return {{"listeners", Json::array({{{"name", "client"}, {"port", 9092}}, std::move(outside)})}};
}

// From outside by the machine's address and the port that Kubernetes gave: Pods wait for it.
TEST(Listeners, OfNodePortsAreToldTheMachinesAddress) {
  World world(two_listeners({{"type", "nodePort"}}));
  for (int i = 0; i < 5; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
    world.step();
  }
  EXPECT_FALSE(world.pod("demo-broker-1"));
  EXPECT_TRUE(world.at("Service/demo-outside-bootstrap"));
  for (int id = 1; id <= 3; ++id) {
    Json* service = world.at("Service/demo-broker-" + std::to_string(id) + "-outside");
    ASSERT_TRUE(service);
    (*service)["spec"]["ports"][0]["nodePort"] = 30000 + id;
  }
  run(world);
  EXPECT_THAT(advertised(world, "demo-broker-2"), HasSubstr(",OUTSIDE://$(HOST_IP):30002"));
  EXPECT_THAT(file_of(world, "demo-broker-2"),
              HasSubstr("listeners: \"INTERNAL://:9091,CLIENT://:9092,OUTSIDE://:9095\"\n"));
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
  (*world.at("Service/demo-outside-bootstrap"))["spec"]["ports"][0]["nodePort"] = 30000;
  (*world.pod("demo-broker-1"))["status"]["hostIP"] = "10.0.0.1";
  (*world.pod("demo-broker-2"))["status"]["hostIP"] = "10.0.0.2";
  run(world);
  EXPECT_EQ(text_at(list_at(world.cluster, {"status", "listeners"})[1], {"bootstrapServers"}),
            "10.0.0.1:30000,10.0.0.2:30000");
}

TEST(Listeners, OfLoadBalancersAreToldItsAddress) {
  World world(two_listeners({{"type", "loadBalancer"}}));
  for (int i = 0; i < 5; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
    world.step();
  }
  EXPECT_EQ(world.condition("Ready").substr(0, 5), "False");
  for (int id = 1; id <= 3; ++id) {
    Json* service = world.at("Service/demo-broker-" + std::to_string(id) + "-outside");
    (*service)["status"]["loadBalancer"]["ingress"] =
        Json::array({{{"ip", "10.0.0." + std::to_string(id)}}});
  }
  run(world);
  EXPECT_THAT(advertised(world, "demo-broker-3"), HasSubstr(",OUTSIDE://10.0.0.3:9095"));
}

TEST(Listeners, TellWhatTheSpecSays) {
  World world(two_listeners({{"type", "nodePort"},
                             {"advertisedHost", "b{nodeId}.example.com"},
                             {"advertisedPort", 30000}}));
  run(world);
  EXPECT_THAT(advertised(world, "demo-broker-2"), HasSubstr(",OUTSIDE://b2.example.com:30002"));
}

// A listener that is not wanted any more takes its Services with it, and restarts the brokers.
TEST(Listeners, GoWithTheirServices) {
  World world = installed(two_listeners({{"type", "nodePort"},
                                         {"advertisedHost", "b{nodeId}.example.com"},
                                         {"advertisedPort", 30000}}));
  world.cluster["spec"] = Json::object();
  run(world);
  EXPECT_FALSE(world.at("Service/demo-outside-bootstrap"));
  EXPECT_FALSE(world.at("Service/demo-broker-1-outside"));
  EXPECT_EQ(world.restarted.size(), 3U);
}

TEST(Images, FollowTheVersion) {
  World world({{"version", "1.2.3"}});
  world.settings.image = "registry:5000/moldau:dev";
  run(world);
  EXPECT_EQ(text_at(world.cluster, {"status", "image"}), "registry:5000/moldau:1.2.3");
  EXPECT_EQ(text_at(world.cluster, {"status", "version"}), "1.2.3");
}

// Restarts wait for the window, which may reach over midnight.
TEST(Windows, HoldRestartsBack) {
  World world = installed();
  world.cluster["spec"] = {
      {"image", "moldau:2"},
      {"updatePolicy",
       {{"maintenanceWindow",
         {{"days", Json::array({"Saturday"})}, {"start", "23:30"}, {"minutes", 60}}}}}};
  world.now = *parse_timestamp("2026-11-22T01:00:00Z");  // a Sunday
  run(world);
  EXPECT_EQ(world.condition("UpgradeBlocked"), "True OutsideMaintenanceWindow");
  world.now = *parse_timestamp("2026-11-22T00:10:00Z");
  for (int i = 0; i < 3; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
    world.step();
  }
  EXPECT_FALSE(world.restarted.empty());
}

// The file waits until the Pod has a machine, the machine's rack is in it, and another rack than
// the registered one takes a restart.
TEST(Racks, AreThoseOfTheMachines) {
  World world({{"rack", {{"topologyKey", "zone"}}}});
  for (int i = 0; i < 3; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
    world.step();
  }
  ASSERT_TRUE(world.pod("demo-broker-1"));
  EXPECT_FALSE(world.at("ConfigMap/demo-broker-1-config"));
  world.node_racks = {{"machine", "a"}};
  for (int id = 1; id <= 3; ++id) {
    (*world.pod("demo-broker-" + std::to_string(id)))["spec"]["nodeName"] = "machine";
  }
  for (int i = 0; i < 8; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
    world.step();
    for (auto& [id, broker] : world.brokers) broker.rack = "a";
  }
  EXPECT_THAT(file_of(world, "demo-broker-1"), HasSubstr("broker.rack: \"a\"\n"));
  run(world);
  EXPECT_THAT(world.restarted, IsEmpty());
  world.node_racks = {{"machine", "b"}};
  for (int i = 0; i < 2; ++i) {
    for (const Action& each : world.plan().actions) world.act(each);
  }
  EXPECT_FALSE(world.restarted.empty());
}

TEST(Amounts, AreReadAsKubernetesWritesThem) {
  EXPECT_EQ(amount_of("10Gi"), 10.0 * (1 << 30));
  EXPECT_EQ(amount_of("1500M"), 1.5e9);
  EXPECT_EQ(amount_of("5"), 5);
  EXPECT_EQ(amount_of("much"), std::nullopt);
  EXPECT_EQ(amount_of("5Gx"), std::nullopt);
}

TEST(Timestamps, GoBothWays) {
  EXPECT_EQ(timestamp(1'800'000'000'000), "2027-01-15T08:00:00Z");
  EXPECT_EQ(parse_timestamp("2027-01-15T08:00:00Z"), 1'800'000'000'000);
  EXPECT_EQ(parse_timestamp("2027-13-15T08:00:00Z"), std::nullopt);
  EXPECT_EQ(parse_timestamp("soon"), std::nullopt);
}

}  // namespace
}  // namespace kube
