#include "operator/types/crd.h"

#include "operator/types/cluster.h"
#include "operator/types/topic.h"
#include "operator/types/yaml.h"

namespace kube {
namespace {

struct Column {
  const char* name;
  const char* path;
  const char* about;
  int priority = 0;  // 1: only with -o wide
  const char* type = "string";
};

constexpr const char* kReadyPath = R"(.status.conditions[?(@.type=="Ready")].status)";
constexpr const char* kAgePath = ".metadata.creationTimestamp";

Json columns(std::initializer_list<Column> all) {
  Json out = Json::array();
  for (const Column& each : all) {
    Json column = {{"name", each.name},
                   {"jsonPath", each.path},
                   {"description", each.about},
                   {"type", each.type}};
    if (each.priority > 0) column["priority"] = each.priority;
    out.push_back(std::move(column));
  }
  return out;
}

struct Kind {
  const char* kind;
  const char* singular;
  const char* plural;
  const char* short_name;
};

Json crd(const Kind& kind, const Json& schema, Json printed, Json subresources) {
  Json whole = schema;
  whole["properties"]["apiVersion"] = {{"type", "string"}};
  whole["properties"]["kind"] = {{"type", "string"}};
  whole["properties"]["metadata"] = {{"type", "object"}};
  const std::string plural = kind.plural;
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata",
           {{"name", plural + ".moldau.dev"}, {"labels", {{"app.kubernetes.io/name", "moldau"}}}}},
          {"spec",
           {{"group", "moldau.dev"},
            {"scope", "Namespaced"},
            {"names",
             {{"kind", kind.kind},
              {"listKind", std::string(kind.kind) + "List"},
              {"singular", kind.singular},
              {"plural", kind.plural},
              {"shortNames", Json::array({kind.short_name})},
              {"categories", Json::array({"moldau"})}}},
            {"versions", Json::array({{{"name", "v1"},
                                       {"served", true},
                                       {"storage", true},
                                       {"schema", {{"openAPIV3Schema", std::move(whole)}}},
                                       {"additionalPrinterColumns", std::move(printed)},
                                       {"subresources", std::move(subresources)}}})}}}};
}

CrdFile file_of(const Json& crd) {
  return {"moldau.dev_" + text_at(crd, {"spec", "names", "plural"}) + ".yaml",
          "# Made by `moldau-operator crd` from operator/types: do not change it here.\n" +
              to_yaml(crd)};
}

}  // namespace

Json cluster_crd() {
  return crd({"Cluster", "cluster", "clusters", "mc"}, cluster_schema(),
             columns({{"Ready", kReadyPath, "Whether it serves."},
                      {"Version", ".status.version", "What all nodes run."},
                      {"Brokers", ".status.brokersReady", "Ready of wanted."},
                      {"Controllers", ".status.controllersReady", "Ready of wanted.", 1},
                      {"Cluster-Id", ".status.clusterId", "The cluster's identity.", 1},
                      {"Status", ".status.message", "What matters most."},
                      {"Age", kAgePath, "Since it was created.", 0, "date"}}),
             {{"status", Json::object()},
              {"scale",
               {{"specReplicasPath", ".spec.brokers.replicas"},
                {"statusReplicasPath", ".status.replicas"},
                {"labelSelectorPath", ".status.labelSelector"}}}});
}

Json topic_crd() {
  return crd({"Topic", "topic", "topics", "mt"}, topic_schema(),
             columns({{"Ready", kReadyPath, "Whether it is as wanted."},
                      {"Cluster", ".spec.clusterRef.name", "Its Cluster."},
                      {"Partitions", ".status.partitions", "How many there are.", 0, "integer"},
                      {"Replicas", ".status.replicationFactor", "Of each partition.", 0, "integer"},
                      {"Topic", ".status.topicName", "Its name in the cluster.", 1},
                      {"Status", ".status.message", "What matters most."},
                      {"Age", kAgePath, "Since it was created.", 0, "date"}}),
             {{"status", Json::object()}});
}

std::vector<CrdFile> crd_files() { return {file_of(cluster_crd()), file_of(topic_crd())}; }

}  // namespace kube
