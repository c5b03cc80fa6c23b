#include "operator/types/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kube {
namespace {

Json resource(std::string_view spec) {
  return {{"metadata", {{"name", "demo"}}}, {"spec", Json::parse(spec)}};
}

std::string said(std::string_view spec) {
  const auto made = cluster_spec(resource(spec));
  return made ? "" : describe(made.error());
}

// An empty spec is a whole cluster.
TEST(ClusterSpec, HasDefaultsForEverything) {
  const auto spec = cluster_spec({{"metadata", {{"name", "demo"}}}});
  ASSERT_TRUE(spec) << describe(spec.error());
  ASSERT_EQ(spec->pools.size(), 1U);
  EXPECT_EQ(spec->pools[0].name, "broker");
  EXPECT_EQ(spec->pools[0].replicas, 3);
  EXPECT_EQ(spec->controllers.replicas, 3);
  EXPECT_EQ(spec->controllers.storage_size, "10Gi");
  ASSERT_EQ(spec->listeners.size(), 1U);
  EXPECT_EQ(spec->listeners[0].port, 9092);
  EXPECT_EQ(spec->deletion_policy, DeletionPolicy::kRetain);
}

TEST(ClusterSpec, TakesWhatIsGiven) {
  const auto spec = cluster_spec(resource(R"({
    "version": "0.2.0", "brokers": {"replicas": 5, "storage": {"size": "1Ti", "class": "fast"}},
    "brokerPools": [{"name": "large", "replicas": 2}],
    "controllers": {"replicas": 1}, "rack": {"topologyKey": "zone"},
    "listeners": [{"name": "client", "port": 9092},
                  {"name": "outside", "port": 9095, "type": "nodePort", "advertisedPort": 30000}],
    "config": {"log.retention.hours": 24, "auto.create.topics.enable": false},
    "updatePolicy": {"maxUnavailable": 3, "maintenanceWindow": {"days": ["Sunday"], "start": "22:30", "minutes": 90}},
    "deletionPolicy": "Delete"})"));
  ASSERT_TRUE(spec) << describe(spec.error());
  EXPECT_EQ(spec->pools[0].storage_class, "fast");
  EXPECT_EQ(spec->pools[1].name, "large");
  EXPECT_EQ(spec->pools[1].replicas, 2);
  EXPECT_EQ(spec->listeners[1].type, ListenerSpec::Type::kNodePort);
  EXPECT_EQ(spec->config.at("log.retention.hours"), "24");
  EXPECT_EQ(spec->config.at("auto.create.topics.enable"), "false");
  EXPECT_EQ(spec->max_unavailable, 3);
  EXPECT_EQ(spec->window->days, std::vector{0});
  EXPECT_EQ(spec->window->start_minute, 22 * 60 + 30);
  EXPECT_EQ(spec->deletion_policy, DeletionPolicy::kDelete);
}

TEST(ClusterSpec, SaysMetricsInOtherWords) {
  const auto spec = cluster_spec(resource(R"({
    "brokers": {"template": {"annotations": {"prometheus.io/path": "/other", "team": "a"}}},
    "metrics": {"kafkaNames": true, "scrapeAnnotations": true}})"));
  ASSERT_TRUE(spec) << describe(spec.error());
  EXPECT_EQ(spec->config.at("moldau.metrics.kafka.names"), "true");
  EXPECT_EQ(spec->pools[0].pod["annotations"],
            Json::parse(R"({"prometheus.io/scrape": "true", "prometheus.io/port": "9644",
                            "prometheus.io/path": "/other", "team": "a"})"));
  EXPECT_EQ(spec->controllers.pod["annotations"]["prometheus.io/path"], "/metrics");
  EXPECT_FALSE(cluster_spec(resource("{}"))->config.contains("moldau.metrics.kafka.names"));
}

TEST(ClusterSpec, RefusesContradictions) {
  EXPECT_EQ(said(R"({"controllers": {"replicas": 2}})"),
            "spec.controllers.replicas: must be one of 1, 3, 5, not 2");
  EXPECT_EQ(said(R"({"listeners": [{"name":"a","port":9092},{"name":"b","port":9092}]})"),
            "spec.listeners[1].port: another listener has it");
  EXPECT_EQ(said(R"({"listeners": [{"name":"a","port":9094}]})"),
            "spec.listeners[0].port: 9091, 9094 and 9644 are used by the cluster itself");
  EXPECT_EQ(said(R"({"listeners": [{"name":"a","port":9092,"type":"nodePort"}]})"),
            "spec.listeners[0].type: the first listener must be internal");
  EXPECT_EQ(said(R"({"brokerPools": [{"name":"controller"}]})"),
            "spec.brokerPools[0].name: broker and controller are taken");
  EXPECT_THAT(said(R"({"config": {"log.retention.ours": 1}})"),
              testing::StartsWith("spec.config.log.retention.ours: there is no such config; did "
                                  "you mean log.retention.hours?"));
  EXPECT_THAT(said(R"({"config": {"node.id": 1}})"), testing::StartsWith("spec.config.node.id: "));
  EXPECT_THAT(said(R"({"config": {"num.partitions": "many"}})"),
              testing::StartsWith("spec.config.num.partitions: "));
}

// Every field in turn gets a value that no field takes; the message names the field.
void spoil_each(const Json& schema, const std::string& path, Json& root, Json& at) {
  for (const auto& [name, field] : object_at(schema, {"properties"}).items()) {
    const std::string field_path = path + "." + name;
    const Json kept = at.contains(name) ? at[name] : Json();
    for (const Json& wrong : {Json(nullptr), Json(-1.5), Json::array({Json::array()})}) {
      at[name] = wrong;
      const auto made = cluster_spec({{"metadata", {{"name", "demo"}}}, {"spec", root}});
      ASSERT_FALSE(made) << field_path << " = " << wrong;
      EXPECT_THAT(describe(made.error()), testing::HasSubstr(field_path)) << wrong;
    }
    if (field.contains("properties")) {
      at[name] = Json::object();
      spoil_each(field, field_path, root, at[name]);
    } else if (object_at(field, {"items"}).contains("properties")) {
      at[name] = Json::array({Json::object()});
      spoil_each(field["items"], field_path + "[0]", root, at[name][0]);
    }
    at[name] = kept;
    if (kept.is_null()) at.erase(name);
  }
}

TEST(ClusterSpec, NamesEveryFieldThatIsWrong) {
  Json spec = Json::object();
  spoil_each(object_at(cluster_schema(), {"properties", "spec"}), "spec", spec, spec);
}

}  // namespace
}  // namespace kube
