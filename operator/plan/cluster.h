// Plans for a Cluster: from what is wanted (its spec) and what there is to the next steps. Pure and
// without memory: whatever a step needs to know later lies on what it made (labels and annotations
// of volumes and Pods), so the operator may be killed between any two. Rules: docs/operator.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "operator/plan/action.h"
#include "operator/plan/observed.h"

namespace kube {

struct OperatorSettings {
  std::string image = "localhost/moldau:dev";  // of nodes whose Cluster names none
};

// What to ask the active controller before the plan is made. `have.control` may be filled without
// the answers, or empty.
ClusterQuestions cluster_questions(const ClusterHave& have, const OperatorSettings& settings);

// `now` is for conditions and maintenance windows only. A spec that is not valid makes a plan that
// says so in the status and touches nothing else. A Cluster that is being deleted: an empty plan.
Plan plan_cluster(const ClusterHave& have, const OperatorSettings& settings, base::WallMs now);

// Where the controllers of a cluster answer gRPC: one of each controller Pod among `objects`.
struct ControllerAddress {
  std::int32_t id = 0;
  std::string host;    // its name in DNS, for those within the Kubernetes cluster
  std::string pod_ip;  // empty while it has none
  std::uint16_t port = 0;
};
std::vector<ControllerAddress> controller_addresses(const std::vector<Json>& objects);

// Of a Cluster's spec: the Node label that is its rack; empty: none.
std::string rack_topology_key(const Json& cluster);

}  // namespace kube
