// The objects of a cluster as they are wanted: from a spec to Kubernetes' JSON. Everything here is
// fit for Pod security `restricted`. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/plan/names.h"
#include "operator/plan/nodes.h"
#include "operator/types/cluster.h"

namespace kube {

// What the spec's config means: what can change while brokers run, and what takes a restart.
struct SplitConfig {
  std::map<std::string, std::string> online;
  std::map<std::string, std::string> at_start;
};
SplitConfig split_config(const std::map<std::string, std::string>& config);

// ---- what exists once

// Services of the controllers, the brokers and each listener; `brokers`: those that get Services of
// their own for listeners from outside.
std::vector<Json> render_services(const Names& names, const ClusterSpec& spec,
                                  const std::vector<Node>& brokers);
// A budget that lets one of `count` be evicted at a time.
Json render_budget(const Names& names, Role role, int count);

// ---- of a node

// Name of the Service of one broker for a listener from outside.
std::string listener_service(const std::string& pod_name, const ListenerSpec& listener);

// advertised.listeners of a broker, with $(HOST_IP) for the address of its machine. Nothing while a
// Service has no port or address; then `waiting` names it.
std::optional<std::string> advertised_listeners(const Names& names, const ClusterSpec& spec,
                                                const Node& broker,
                                                const std::vector<Json>& objects,
                                                std::string& waiting);

// Where clients from outside begin: host and port; an empty host while there is none.
std::pair<std::string, std::int64_t> bootstrap_address(const Names& names,
                                                       const ListenerSpec& listener,
                                                       const std::vector<Json>& objects);
// Stands for the address of a broker's machine.
inline constexpr std::string_view kHostIp = "$(HOST_IP)";

struct NodePlan {
  const NodePool* pool = nullptr;
  std::string image;
  std::string advertised;                     // of a broker
  std::map<std::string, std::string> config;  // that takes a restart
};
// Changes when, and only when, a restart is needed.
std::string revision(const Node& node, const ClusterSpec& spec, const NodePlan& plan);
Json render_pod(const Names& names, const ClusterSpec& spec, const Node& node,
                const NodePlan& plan);

// The node's configuration file. `voters`: text of controller.quorum.voters.
Json render_config(const Names& names, const ClusterSpec& spec, const Node& node,
                   const NodePlan& plan, const std::string& voters, const std::string& rack);
// "1@demo-controller-1.demo-controllers.ns.svc:9094,..."
std::string render_voters(const Names& names, const std::set<std::int32_t>& controllers);

struct VolumeMarks {
  NodeState state = NodeState::kMember;
  std::set<std::int32_t> founders;  // of a controller
  bool even_out = false;            // of a broker
};
VolumeMarks marks_of(const Node& node);
// A new volume, or what is there with other marks and, when the pool wants it, larger.
Json render_volume(const Names& names, const ClusterSpec& spec, const Node& node,
                   const NodePool& pool, const VolumeMarks& marks);
// Whether an existing volume must be changed to be that.
bool volume_differs(const Names& names, const Json& want, const Json& have);

// Bytes of "10Gi"; nothing when it is not an amount.
std::optional<double> amount_of(const std::string& quantity);

}  // namespace kube
