#include "operator/node/caches.h"

#include "operator/plan/labels.h"
#include "operator/plan/topic.h"

namespace kube {
namespace {

std::vector<std::string> by_cluster(const Json& object) {
  const std::string cluster = Caches::cluster_of(object);
  if (cluster.empty()) return {};
  return {cluster_index(meta_namespace(object), cluster)};
}

std::vector<std::string> by_topic(const Json& object) {
  const std::string ns = meta_namespace(object);
  const std::string cluster = cluster_of_topic(object);
  return {cluster_index(ns, cluster), topic_index(ns, cluster, topic_name(object))};
}

}  // namespace

std::string cluster_index(const std::string& ns, const std::string& cluster) {
  return ns + "/" + cluster;
}

std::string topic_index(const std::string& ns, const std::string& cluster,
                        const std::string& topic) {
  return ns + "/" + cluster + "/" + topic;
}

Caches::Caches()
    : clusters([](const Json&) { return std::vector<std::string>(); }),
      topics(by_topic),
      pods(by_cluster),
      volume_claims(by_cluster),
      services(by_cluster),
      config_maps(by_cluster),
      budgets(by_cluster) {}

Store* Caches::of(const Kind& kind) {
  if (kind.name == kClusters.name) return &clusters;
  if (kind.name == kTopics.name) return &topics;
  if (kind.name == kPods.name) return &pods;
  if (kind.name == kVolumeClaims.name) return &volume_claims;
  if (kind.name == kServices.name) return &services;
  if (kind.name == kConfigMaps.name) return &config_maps;
  if (kind.name == kDisruptionBudgets.name) return &budgets;
  return nullptr;
}

std::vector<JsonPtr> Caches::owned(const std::string& ns, const std::string& cluster) const {
  std::vector<JsonPtr> out;
  const std::string index = cluster_index(ns, cluster);
  for (const Store* store : {&pods, &volume_claims, &services, &config_maps, &budgets}) {
    for (JsonPtr& each : store->of(index)) out.push_back(std::move(each));
  }
  return out;
}

std::string Caches::cluster_of(const Json& object) { return meta_label(object, label::kCluster); }

}  // namespace kube
