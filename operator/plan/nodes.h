// The nodes of a cluster, read off what exists: a node is a volume and the Pod that uses it. Who a
// node is (role, pool, id) and where it is in its life stands on the volume. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/plan/names.h"
#include "operator/types/json.h"

namespace kube {

//        scale-up or first start              replicas lowered           drained, or voted out
// (none) ----------------------> kMember ------------------> kDraining --------------> kRetired
//                                   ^----- replicas raised -----'                          |
//                                   ^--------------------- scale-up, volume kept ----------'
enum class NodeState : std::uint8_t { kMember, kDraining, kRetired };
std::string_view name(NodeState state);

struct Node {
  Role role = Role::kBroker;
  std::string pool;
  std::int32_t id = 0;
  NodeState state = NodeState::kMember;
  std::string pod_name;
  // Null when there is none. They view the observed objects.
  const Json* volume = nullptr;
  const Json* pod = nullptr;
  const Json* config = nullptr;

  bool is_member() const { return state != NodeState::kRetired; }
};

enum class PodPhase : std::uint8_t {
  kAbsent,
  kEnding,    // has a deletion timestamp
  kEnded,     // evicted or otherwise over: it will not run again
  kStuck,     // cannot start: no node, no volume, no image, crashes
  kStarting,  // not ready yet
  kReady,
};

// Brokers first, by id; then controllers, by id.
std::vector<Node> nodes_of(const Names& names, const std::vector<Json>& objects);

PodPhase phase_of(const Node& node);
// Why a Pod is stuck or not ready, in Kubernetes' words: "ImagePullBackOff: ...".
std::string complaint_of(const Node& node);
bool is_running(const Node& node);  // its container has started
bool is_ending(const Json* object);
std::string revision_of(const Json& pod);
std::string image_of(const Json& pod);

// Of a controller's volume: who founds the quorum together. Empty: it is founded.
std::set<std::int32_t> founders_of(const std::vector<Node>& nodes);

}  // namespace kube
