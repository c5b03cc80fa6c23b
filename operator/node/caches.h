// A store of each kind that the operator follows, and how they are found: everything by the cluster
// it belongs to, Topics also by the topic they stand for.
#pragma once

#include <string>
#include <vector>

#include "operator/node/store.h"

namespace kube {

// "ns/name": what objects of a cluster are indexed under.
std::string cluster_index(const std::string& ns, const std::string& cluster);
// What Topics for one topic of one cluster are indexed under.
std::string topic_index(const std::string& ns, const std::string& cluster,
                        const std::string& topic);

struct Caches {
  Caches();
  Store clusters;
  Store topics;
  Store pods;
  Store volume_claims;
  Store services;
  Store config_maps;
  Store budgets;

  // Null when that kind is not followed.
  Store* of(const Kind& kind);
  // What the operator made for a cluster, all kinds.
  std::vector<JsonPtr> owned(const std::string& ns, const std::string& cluster) const;
  // The cluster that an object belongs to; empty: none.
  static std::string cluster_of(const Json& object);
};

}  // namespace kube
