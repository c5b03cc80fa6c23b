#include "operator/plan/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "operator/plan/test_world.h"

namespace kube {
namespace {

using test::installed;
using test::one_at_a_time;
using test::run;
using test::World;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// From nothing to a cluster that serves, with everything that it owns; then silence.
TEST(PlanCluster, InstallsAndComesToRest) {
  World world;
  run(world);
  EXPECT_THAT(world.pods(),
              UnorderedElementsAre("demo-broker-1", "demo-broker-2", "demo-broker-3",
                                   "demo-controller-1", "demo-controller-2", "demo-controller-3"));
  for (const char* key :
       {"Service/demo-brokers", "Service/demo-controllers", "Service/demo-bootstrap",
        "PodDisruptionBudget/demo-brokers", "PodDisruptionBudget/demo-controllers",
        "PersistentVolumeClaim/data-demo-broker-1", "ConfigMap/demo-broker-1-config"}) {
    EXPECT_TRUE(world.at(key)) << key;
  }
  EXPECT_EQ(world.condition("Ready"), "True Ready");
  EXPECT_EQ(world.condition("Progressing"), "False AsWanted");
  EXPECT_EQ(world.condition("Degraded"), "False AsWanted");
  EXPECT_EQ(world.condition("UpgradeBlocked"), "False AsWanted");
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
  EXPECT_EQ(text_at(world.cluster, {"status", "brokersReady"}), "3/3");
  EXPECT_EQ(text_at(world.cluster, {"status", "clusterId"}), "cluster-id");
  EXPECT_THAT(world.restarted, IsEmpty());
  world.questions = 0;
  EXPECT_THAT(world.plan().actions, IsEmpty());
  EXPECT_EQ(world.questions, 0);
}

// What must be in a namespace with Pod security `restricted`.
TEST(PlanCluster, PodsAreRestricted) {
  World world = installed();
  for (const std::string& name : world.pods()) {
    const Json& spec = (*world.pod(name))["spec"];
    EXPECT_EQ(spec["securityContext"]["runAsNonRoot"], true);
    EXPECT_EQ(spec["securityContext"]["runAsUser"], 10001);
    EXPECT_EQ(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    EXPECT_EQ(spec["automountServiceAccountToken"], false);
    const Json& own = spec["containers"][0]["securityContext"];
    EXPECT_EQ(own["allowPrivilegeEscalation"], false);
    EXPECT_EQ(own["readOnlyRootFilesystem"], true);
    EXPECT_EQ(own["capabilities"]["drop"], Json::array({"ALL"}));
  }
}

TEST(PlanCluster, NodesAreToldWhoTheyAre) {
  World world = installed();
  const Json& file = (*world.at("ConfigMap/demo-broker-2-config"))["data"]["broker.yaml"];
  EXPECT_THAT(file.get<std::string>(), HasSubstr("node.id: \"2\"\n"));
  EXPECT_THAT(file.get<std::string>(),
              HasSubstr("controller.quorum.voters: "
                        "\"1@demo-controller-1.demo-controllers.ns.svc:9094,"));
  const Json& environment = (*world.pod("demo-broker-2"))["spec"]["containers"][0]["env"];
  EXPECT_EQ(environment[1]["name"], "MOLDAU_ADVERTISED__LISTENERS");
  EXPECT_EQ(environment[1]["value"],
            "INTERNAL://demo-broker-2.demo-brokers.ns.svc:9091,"
            "CLIENT://demo-broker-2.demo-brokers.ns.svc:9092");
}

// Another image: all Pods, one at a time, brokers first, the active controller last.
TEST(PlanCluster, RollsOneAtATime) {
  World world = installed();
  world.cluster["spec"]["image"] = "moldau:2";
  run(world, {}, one_at_a_time(world));
  EXPECT_THAT(world.restarted,
              ElementsAre("demo-broker-1", "demo-broker-2", "demo-broker-3", "demo-controller-2",
                          "demo-controller-3", "demo-controller-1"));
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
  EXPECT_EQ(text_at(world.cluster, {"status", "version"}), "2");
}

TEST(PlanCluster, WaitsForTheControllersYes) {
  World world = installed();
  world.refuses_restarts = true;
  world.cluster["spec"]["image"] = "moldau:2";
  for (int i = 0; i < 10; ++i) {
    for (const Action& action : world.plan().actions) world.act(action);
    world.step();
  }
  EXPECT_THAT(world.restarted, IsEmpty());
  EXPECT_EQ(world.condition("UpgradeBlocked"), "True MayNotRestart");
  EXPECT_THAT(text_at(world.cluster, {"status", "message"}), HasSubstr("orders-0"));
  EXPECT_THAT(world.plan().actions, IsEmpty());  // nor does it write the same again
  world.refuses_restarts = false;
  run(world);
  EXPECT_EQ(world.restarted.size(), 6U);
}

TEST(PlanCluster, WaitsUntilAllIsInSync) {
  World world = installed();
  world.under_replicated = true;
  world.cluster["spec"]["image"] = "moldau:2";
  for (int i = 0; i < 10; ++i) {
    for (const Action& action : world.plan().actions) world.act(action);
    world.step();
  }
  EXPECT_THAT(world.restarted, IsEmpty());
  world.under_replicated = false;
  run(world);
  EXPECT_EQ(world.restarted.size(), 6U);
}

// An image that does not exist: one Pod is lost to it, the rest stays, and the next image mends it.
TEST(PlanCluster, StopsAtAStuckPodAndReplacesItOnceTheSpecIsMended) {
  World world = installed();
  world.broken_images = {"moldau:wrong"};
  world.cluster["spec"]["image"] = "moldau:wrong";
  run(world, {}, one_at_a_time(world));
  EXPECT_THAT(world.restarted, ElementsAre("demo-broker-1"));
  EXPECT_EQ(world.condition("UpgradeBlocked"), "True PodStuck");
  EXPECT_EQ(world.condition("Degraded"), "True PodStuck");
  EXPECT_EQ(world.condition("Ready"), "True Ready");
  EXPECT_THAT(text_at(world.cluster, {"status", "message"}),
              HasSubstr("demo-broker-1: ImagePullBackOff: no such image"));
  world.cluster["spec"]["image"] = "moldau:3";
  run(world, {}, one_at_a_time(world));
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
}

// A partition that moves has more replicas than are in sync for a moment: that is no outage.
TEST(PlanCluster, TellsAnOutageFromAMove) {
  World world = installed();
  world.findings = {{FindingSeen::Kind::kUnderMinIsr, 1, -1, "1 partition cannot be written."},
                    {FindingSeen::Kind::kReassigning, 1, -1, "1 partition moves."}};
  for (const Action& each : world.plan().actions) world.act(each);
  EXPECT_EQ(world.condition("Ready"), "True Ready");
  world.findings.pop_back();
  for (const Action& each : world.plan().actions) world.act(each);
  EXPECT_EQ(world.condition("Ready"), "False Unhealthy");
  EXPECT_EQ(world.condition("Degraded"), "True Unhealthy");
}

// A machine that is gone: its Pod neither serves nor ends. Said after a while; nothing is forced.
TEST(PlanCluster, TellsOfAPodThatIsAwayForLong) {
  World world = installed();
  Json& pod = *world.pod("demo-broker-2");
  pod["spec"]["nodeName"] = "n2";
  pod["status"]["phase"] = "Unknown";
  pod["status"]["conditions"] = Json::array(
      {{{"type", "Ready"}, {"status", "False"}, {"lastTransitionTime", "2027-01-15T08:00:00Z"}}});
  world.now = 1'800'000'000'000 + 60'000;
  for (const Action& each : world.plan().actions) world.act(each);
  EXPECT_EQ(world.condition("Degraded"), "False AsWanted");
  world.now += 120'000;
  for (const Action& each : world.plan().actions) world.act(each);
  EXPECT_EQ(world.condition("Degraded"), "True PodNotReady");
  EXPECT_THAT(world.restarted, IsEmpty());
}

// What was refused explains why the rest does not come: it is told before all that waits for it.
TEST(PlanCluster, TellsARefusalFirst) {
  World world;
  ClusterHave have = world.observe();
  have.failures = {{"make Pod demo-broker-1", "pods is forbidden"}};
  for (const Action& each : plan_cluster(have, world.settings, world.now).actions) world.act(each);
  EXPECT_EQ(world.condition("Progressing"), "True ActionFailed");
  EXPECT_THAT(world.cluster["status"]["message"].get<std::string>(),
              HasSubstr("pods is forbidden"));
}

TEST(PlanCluster, RestartsNobodyWhilePaused) {
  World world = installed();
  world.cluster["spec"] = {{"image", "moldau:2"}, {"updatePolicy", {{"paused", true}}}};
  run(world);
  EXPECT_THAT(world.restarted, IsEmpty());
  EXPECT_EQ(world.condition("UpgradeBlocked"), "True Paused");
}

// What brokers take while they run restarts nobody; a key that leaves the spec is reset.
TEST(PlanCluster, ChangesConfigsOnline) {
  World world = installed();
  world.cluster["spec"]["config"] = {{"message.max.bytes", 2000000}};
  world.configs["log.retention.ms"] = "5";  // somebody else's
  run(world);
  EXPECT_EQ(world.configs.at("message.max.bytes"), "2000000");
  world.cluster["spec"]["config"] = Json::object();
  run(world);
  EXPECT_EQ(world.configs, (std::map<std::string, std::string>{{"log.retention.ms", "5"}}));
  EXPECT_THAT(world.restarted, IsEmpty());
}

TEST(PlanCluster, ScalesUpAndEvensOut) {
  World world = installed();
  world.first_load = 0;
  world.cluster["spec"]["brokers"]["replicas"] = 5;
  run(world);
  EXPECT_TRUE(world.is_ready("demo-broker-5"));
  EXPECT_EQ(world.brokers.at(5).replicas, 1);
  EXPECT_THAT(world.restarted, IsEmpty());
}

// Fewer: drained first; its Pod goes, its registration, its configuration; its volume stays.
TEST(PlanCluster, DrainsBeforeItRemoves) {
  World world = installed({{"brokers", {{"replicas", 4}}}});
  world.cluster["spec"]["brokers"]["replicas"] = 3;
  world.stuck_drains = true;
  run(world);
  EXPECT_TRUE(world.is_ready("demo-broker-4"));
  EXPECT_EQ(world.condition("Progressing"), "True Draining");
  world.stuck_drains = false;
  run(world);
  EXPECT_FALSE(world.pod("demo-broker-4"));
  EXPECT_FALSE(world.at("ConfigMap/demo-broker-4-config"));
  EXPECT_FALSE(world.brokers.contains(4));
  EXPECT_TRUE(world.at("PersistentVolumeClaim/data-demo-broker-4"));
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
  // Raised again: the same id on the same volume.
  world.cluster["spec"]["brokers"]["replicas"] = 4;
  run(world);
  EXPECT_TRUE(world.is_ready("demo-broker-4"));
}

TEST(PlanCluster, TakesADrainBack) {
  World world = installed({{"brokers", {{"replicas", 4}}}});
  world.cluster["spec"]["brokers"]["replicas"] = 3;
  world.stuck_drains = true;
  run(world);
  ASSERT_TRUE(world.brokers.at(4).draining);
  world.cluster["spec"]["brokers"]["replicas"] = 4;
  run(world);
  EXPECT_FALSE(world.brokers.at(4).draining);
  EXPECT_THAT(world.restarted, IsEmpty());
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
}

// A drain that a person asked for is left alone.
TEST(PlanCluster, LeavesDrainsOfOthersAlone) {
  World world = installed();
  world.brokers.at(2).draining = true;
  world.stuck_drains = true;
  run(world);
  EXPECT_TRUE(world.brokers.at(2).draining);
}

TEST(PlanCluster, DeletesVolumesOnlyWhenToldTo) {
  World world = installed({{"brokers", {{"replicas", 4}}}, {"deletionPolicy", "Delete"}});
  EXPECT_TRUE((*world.at("PersistentVolumeClaim/data-demo-broker-4"))["metadata"].contains(
      "ownerReferences"));
  world.cluster["spec"]["brokers"]["replicas"] = 3;
  run(world);
  EXPECT_FALSE(world.at("PersistentVolumeClaim/data-demo-broker-4"));
  world.cluster["spec"]["deletionPolicy"] = "Retain";
  run(world);
  for (const auto& [key, object] : world.objects) {
    if (!key.starts_with("PersistentVolumeClaim/")) continue;
    EXPECT_FALSE(object["metadata"].contains("ownerReferences")) << key;
  }
}

// The Cluster is deleted and applied again: the volumes say who everybody is.
TEST(PlanCluster, FindsItsVolumesAgain) {
  World world = installed({{"controllers", {{"replicas", 1}}}});
  world.cluster["spec"]["controllers"]["replicas"] = 3;
  run(world);
  std::erase_if(world.objects,
                [](const auto& each) { return !each.first.starts_with("PersistentVolumeClaim/"); });
  world.cluster["metadata"]["uid"] = "u-again";
  world.cluster.erase("status");
  for (auto& [id, broker] : world.brokers) broker.fenced = true;
  const auto before = world.objects.size();
  run(world);
  EXPECT_EQ(world.condition("Stable"), "True AsWanted");
  EXPECT_EQ(std::ranges::count_if(
                world.objects,
                [](const auto& each) { return each.first.starts_with("PersistentVolumeClaim/"); }),
            static_cast<std::ptrdiff_t>(before));
  EXPECT_EQ(world.voters, (std::set{1, 2, 3}));
}

TEST(PlanCluster, DoesNotFoundASecondQuorum) {
  World world = installed();
  std::erase_if(world.objects,
                [](const auto& each) { return each.first.contains("demo-controller-"); });
  run(world);
  EXPECT_FALSE(world.at("PersistentVolumeClaim/data-demo-controller-1"));
  EXPECT_EQ(world.condition("Degraded"), "True ControllersLost");
}

// A broker or a controller whose volume and Pod are gone comes back empty, under its id.
TEST(PlanCluster, ReplacesALostVolume) {
  World world = installed();
  for (const char* name : {"demo-broker-2", "demo-controller-2"}) {
    world.objects.erase("Pod/" + std::string(name));
    world.objects.erase("PersistentVolumeClaim/data-" + std::string(name));
  }
  run(world);
  EXPECT_TRUE(world.is_ready("demo-broker-2"));
  EXPECT_TRUE(world.is_ready("demo-controller-2"));
  EXPECT_EQ(world.pods().size(), 6U);
}

TEST(PlanCluster, VolumesGrowAndNeverShrink) {
  World world = installed();
  world.cluster["spec"]["brokers"]["storage"]["size"] = "20Gi";
  run(world);
  const auto size = [&] {
    return text_at(*world.at("PersistentVolumeClaim/data-demo-broker-1"),
                   {"spec", "resources", "requests", "storage"});
  };
  EXPECT_EQ(size(), "20Gi");
  world.cluster["spec"]["brokers"]["storage"]["size"] = "5Gi";
  run(world);
  EXPECT_EQ(size(), "20Gi");
  EXPECT_THAT(world.restarted, IsEmpty());
}

TEST(PlanCluster, MakesEvictedPodsAnew) {
  World world = installed();
  (*world.pod("demo-broker-1"))["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}};
  run(world);
  EXPECT_TRUE(world.is_ready("demo-broker-1"));
}

TEST(PlanCluster, SaysWhatIsWrongWithASpecAndTouchesNothing) {
  World world = installed();
  world.cluster["spec"]["controllers"]["replicas"] = 2;
  const Plan plan = world.plan();
  ASSERT_EQ(plan.actions.size(), 1U);
  world.act(plan.actions[0]);
  EXPECT_EQ(world.condition("Degraded"), "True InvalidSpec");
  EXPECT_EQ(world.condition("Ready"), "True InvalidSpec");
  EXPECT_THAT(text_at(world.cluster, {"status", "message"}),
              HasSubstr("spec.controllers.replicas"));
  EXPECT_THAT(world.plan().actions, IsEmpty());
}

TEST(PlanCluster, LeavesEverythingToKubernetesWhenDeleted) {
  World world = installed();
  world.cluster["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  world.cluster["spec"]["image"] = "moldau:2";
  EXPECT_THAT(world.plan().actions, IsEmpty());
}

TEST(PlanCluster, SeveralPoolsShareTheIds) {
  World world = installed({{"brokerPools", Json::array({{{"name", "large"}, {"replicas", 2}}})}});
  EXPECT_TRUE(world.is_ready("demo-broker-3"));
  EXPECT_TRUE(world.is_ready("demo-large-4"));
  EXPECT_TRUE(world.is_ready("demo-large-5"));
  world.cluster["spec"].erase("brokerPools");
  run(world);
  EXPECT_EQ(world.brokers.size(), 3U);
  EXPECT_FALSE(world.pod("demo-large-4"));
}

}  // namespace
}  // namespace kube
