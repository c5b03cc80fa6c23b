#include "operator/plan/topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plan/replicas.h"

namespace kube {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// A Topic, the cluster's topic, and what plans do to both.
class TopicWorld {
 public:
  explicit TopicWorld(Json spec = Json::object()) {
    spec["clusterRef"]["name"] = "demo";
    have.resource = {{"metadata",
                      {{"name", "orders"},
                       {"namespace", "ns"},
                       {"uid", "u-b"},
                       {"generation", 1},
                       {"creationTimestamp", "2026-01-02T00:00:00Z"}}},
                     {"spec", std::move(spec)}};
    have.cluster = ClusterPresence::kReachable;
    for (std::int32_t id = 1; id <= 4; ++id) {
      have.brokers.push_back({id, id % 2 == 0 ? "a" : "b", false, false, id, 0});
    }
  }

  Plan plan() { return plan_topic(have, 1'800'000'000'000); }

  // One plan, or its first actions; reassignments end at once.
  void once(int actions = 100) {
    for (const Action& action : plan().actions) {
      if (actions-- == 0) return;
      done.push_back(describe(action));
      std::visit([this](const auto& each) { carry_out(each); }, action);
    }
  }
  void run() {
    for (int i = 0; i < 20 && !plan().actions.empty(); ++i) once();
    EXPECT_THAT(plan().actions, IsEmpty());
  }

  std::string ready() const {
    for (const Json& each : list_at(have.resource, {"status", "conditions"})) {
      if (text_at(each, {"type"}) == "Ready") {
        return text_at(each, {"status"}) + " " + text_at(each, {"reason"});
      }
    }
    return "";
  }
  Json& spec() { return have.resource["spec"]; }

  TopicHave have;
  std::vector<std::string> done;

 private:
  void carry_out(const PatchStatus& it) { have.resource["status"] = it.status; }
  void carry_out(const PatchFinalizers& it) {
    have.resource["metadata"]["finalizers"] = it.finalizers;
  }
  void carry_out(const CreateTopic& it) {
    TopicSeen topic{.id = "id-" + std::to_string(++ids_), .configs = it.configs};
    const std::size_t factor =
        it.replication_factor < 0 ? 3 : static_cast<std::size_t>(it.replication_factor);
    topic.partitions.resize(it.partitions < 0 ? 1 : static_cast<std::size_t>(it.partitions));
    for (PartitionSeen& each : topic.partitions) {
      for (std::size_t i = 0; i < factor; ++i) {
        each.replicas.push_back(static_cast<std::int32_t>(i) + 1);
      }
      each.isr = each.replicas;
    }
    have.topic = topic;
  }
  void carry_out(const CreatePartitions& it) {
    have.topic->partitions.resize(static_cast<std::size_t>(it.count),
                                  have.topic->partitions.front());
  }
  void carry_out(const AlterTopicConfigs& it) {
    for (const auto& [key, value] : it.changes) {
      if (value) {
        have.topic->configs[key] = *value;
      } else {
        have.topic->configs.erase(key);
      }
    }
  }
  void carry_out(const Reassign& it) {
    for (const auto& [index, replicas] : it.replicas) {
      auto& partition = have.topic->partitions[static_cast<std::size_t>(index)];
      partition.replicas = replicas;
      partition.isr = replicas;
    }
  }
  void carry_out(const DeleteTopic& it) {
    if (have.topic && have.topic->id == it.topic_id) have.topic.reset();
  }
  void carry_out(const EmitEvent&) {}
  void carry_out(const auto&) { FAIL() << "not of a Topic"; }

  int ids_ = 0;
};

TEST(PlanTopic, CreatesAndComesToRest) {
  TopicWorld world(
      {{"partitions", 6}, {"replicationFactor", 3}, {"config", {{"retention.ms", 1000}}}});
  world.run();
  EXPECT_EQ(world.ready(), "True Ready");
  EXPECT_EQ(world.have.topic->partitions.size(), 6U);
  EXPECT_EQ(world.have.topic->configs.at("retention.ms"), "1000");
  EXPECT_EQ(number_at(world.have.resource, {"status", "partitions"}), 6);
  EXPECT_EQ(text_at(world.have.resource, {"status", "topicId"}), "id-1");
  // Two writes for each of a thousand topics: one at the controller, one status.
  EXPECT_EQ(world.done.size(), 2U);
}

TEST(PlanTopic, AdoptsWhatIsThereAndTouchesOnlyWhatTheSpecNames) {
  TopicWorld world({{"config", {{"retention.ms", 1000}}}});
  world.have.topic =
      TopicSeen{"id-old", {{{1, 2, 3}, {1, 2, 3}, {}, {}, 1}}, {{"segment.bytes", "5"}}};
  world.run();
  EXPECT_EQ(world.ready(), "True Ready");
  EXPECT_EQ(world.have.topic->configs.at("segment.bytes"), "5");
  EXPECT_EQ(world.have.topic->configs.at("retention.ms"), "1000");
}

// Every change, with the operator killed after each number of actions.
TEST(PlanTopic, CarriesOutEveryChange) {
  for (int actions = 0; actions < 6; ++actions) {
    TopicWorld world({{"partitions", 2},
                      {"replicationFactor", 2},
                      {"config", {{"retention.ms", 1}, {"segment.ms", 1000}}}});
    world.once(actions);
    world.run();
    world.spec()["partitions"] = 5;
    world.spec()["replicationFactor"] = 3;
    world.spec()["config"] = {{"retention.ms", 2}};
    world.spec()["deletionPolicy"] = "Delete";
    world.once(actions);
    world.run();
    EXPECT_EQ(world.have.topic->partitions.size(), 5U);
    for (const PartitionSeen& each : world.have.topic->partitions) {
      EXPECT_EQ(each.replicas.size(), 3U);
    }
    EXPECT_EQ(world.have.topic->configs,
              (std::map<std::string, std::string>{{"retention.ms", "2"}}));
    EXPECT_EQ(world.ready(), "True Ready");
  }
}

TEST(PlanTopic, RefusesFewerPartitions) {
  TopicWorld world({{"partitions", 4}});
  world.run();
  world.spec()["partitions"] = 2;
  world.run();
  EXPECT_EQ(world.ready(), "False PartitionDecrease");
  EXPECT_EQ(world.have.topic->partitions.size(), 4U);
}

TEST(PlanTopic, SaysThatBrokersAreTooFew) {
  TopicWorld world({{"replicationFactor", 5}});
  world.run();
  EXPECT_EQ(world.ready(), "False TooFewBrokers");
  EXPECT_FALSE(world.have.topic);
}

TEST(PlanTopic, NeverMakesAVanishedTopicAnew) {
  TopicWorld world;
  world.run();
  world.have.topic.reset();
  world.run();
  EXPECT_EQ(world.ready(), "False TopicVanished");
  EXPECT_FALSE(world.have.topic);
}

TEST(PlanTopic, LeavesATopicOfAnotherIdentityAlone) {
  TopicWorld world({{"partitions", 3}});
  world.run();
  world.have.topic = TopicSeen{"id-other", {{{1}, {1}, {}, {}, 1}}, {}};
  world.run();
  EXPECT_EQ(world.ready(), "False TopicIdentityChanged");
  EXPECT_EQ(world.have.topic->partitions.size(), 1U);
}

TEST(PlanTopic, OfTwoForOneNameTheOlderStands) {
  TopicWorld world({{"deletionPolicy", "Delete"}});
  world.have.topic = TopicSeen{"id-1", {{{1}, {1}, {}, {}, 1}}, {}};
  world.have.rivals = {{"older", "u-z", "2026-01-01T00:00:00Z"}};
  world.run();
  EXPECT_EQ(world.ready(), "False Conflict");
  EXPECT_EQ(find(world.have.resource, {"status", "topicId"}), nullptr);
  EXPECT_TRUE(list_at(world.have.resource, {"metadata", "finalizers"}).empty());
  world.have.rivals = {{"younger", "u-a", "2026-01-03T00:00:00Z"}};
  world.run();
  EXPECT_EQ(world.ready(), "True Ready");
}

TEST(PlanTopic, SaysThatItsClusterIsMissing) {
  TopicWorld world;
  world.have.cluster = ClusterPresence::kAbsent;
  world.run();
  EXPECT_EQ(world.ready(), "False ClusterNotFound");
  world.have.cluster = ClusterPresence::kReachable;
  world.run();
  EXPECT_EQ(world.ready(), "True Ready");
  const Json before = world.have.resource["status"];
  world.have.cluster = ClusterPresence::kUnreachable;  // for a moment: nothing is written
  world.run();
  EXPECT_EQ(world.have.resource["status"], before);
}

TEST(PlanTopic, DeletesTheTopicOnlyWhenToldTo) {
  for (const bool wanted : {false, true}) {
    TopicWorld world(wanted ? Json{{"deletionPolicy", "Delete"}} : Json::object());
    world.run();
    EXPECT_EQ(list_at(world.have.resource, {"metadata", "finalizers"}).size(), wanted ? 1U : 0U);
    world.have.resource["metadata"]["deletionTimestamp"] = "2026-01-04T00:00:00Z";
    world.run();
    EXPECT_EQ(world.have.topic.has_value(), !wanted);
    EXPECT_TRUE(list_at(world.have.resource, {"metadata", "finalizers"}).empty());
  }
}

// A namespace that goes, in any order: the finalizer never waits for a cluster that is gone.
TEST(PlanTopic, DropsItsFinalizerWithoutACluster) {
  for (const ClusterPresence cluster : {ClusterPresence::kAbsent, ClusterPresence::kDeleting}) {
    TopicWorld world({{"deletionPolicy", "Delete"}});
    world.run();
    world.have.cluster = cluster;
    world.have.resource["metadata"]["deletionTimestamp"] = "2026-01-04T00:00:00Z";
    world.run();
    EXPECT_TRUE(list_at(world.have.resource, {"metadata", "finalizers"}).empty());
    EXPECT_TRUE(world.have.topic);
  }
}

TEST(PlanTopic, DoesNotDeleteATopicOfAnotherIdentity) {
  TopicWorld world({{"deletionPolicy", "Delete"}});
  world.run();
  world.have.topic->id = "id-other";
  world.have.resource["metadata"]["deletionTimestamp"] = "2026-01-04T00:00:00Z";
  world.run();
  EXPECT_TRUE(world.have.topic);
}

TEST(PlanTopic, SaysWhatIsWrongWithASpec) {
  TopicWorld world({{"partitions", 0}});
  world.run();
  EXPECT_EQ(world.ready(), "False InvalidSpec");
  EXPECT_THAT(text_at(world.have.resource, {"status", "message"}), HasSubstr("spec.partitions"));
}

TEST(PlanTopic, TellsOfAFailure) {
  TopicWorld world;
  world.have.failures = {{"create topic orders", "POLICY_VIOLATION: no"}};
  world.once(1);
  EXPECT_EQ(world.ready(), "False ActionFailed");
  EXPECT_THAT(text_at(world.have.resource, {"status", "message"}), HasSubstr("POLICY_VIOLATION"));
}

// More replicas: other racks first, then brokers with little; fewer: those that lag go first.
TEST(Replicas, SpreadOverRacksAndBrokers) {
  const std::vector<BrokerSeen> brokers = {{1, "a", false, false, 9, 0},
                                           {2, "b", false, false, 9, 0},
                                           {3, "a", false, false, 1, 0},
                                           {4, "c", true, false, 0, 0},
                                           {5, "c", false, true, 0, 0}};
  const auto grown = with_factor({{{1}, {1}, {}, {}, 1}}, 2, brokers);
  EXPECT_EQ(grown.at(0), (std::vector{1, 2}));
  EXPECT_EQ(with_factor({{{1}, {1}, {}, {}, 1}}, 3, brokers).at(0), (std::vector{1, 2, 3}));
  EXPECT_THAT(with_factor({{{1}, {1}, {}, {}, 1}}, 4, brokers), IsEmpty());
  EXPECT_EQ(with_factor({{{1, 2, 3}, {1, 3}, {}, {}, 1}}, 2, brokers).at(0), (std::vector{1, 3}));
  EXPECT_EQ(with_factor({{{1, 2, 3}, {1, 2, 3}, {}, {}, 1}}, 2, brokers).at(0),
            (std::vector{1, 2}));
}

}  // namespace
}  // namespace kube
