// The custom resource Cluster: its schema, and its spec as a value. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/types/schema.h"

namespace kube {

enum class DeletionPolicy : std::uint8_t { kRetain, kDelete };

// Nodes that are alike: a pool of brokers, or the controllers.
struct NodePool {
  std::string name;  // "broker", "controller", or of spec.brokerPools
  std::int32_t replicas = 0;
  Json resources = Json::object();  // requests, limits
  std::string storage_size;         // "10Gi"
  std::optional<std::string> storage_class;
  Json pod = Json::object();  // spec....template: labels, annotations, affinity, ...
};

struct ListenerSpec {
  enum class Type : std::uint8_t { kInternal, kNodePort, kLoadBalancer };
  std::string name;  // "client"
  std::uint16_t port = 0;
  Type type = Type::kInternal;
  // With {nodeId} for the number of the broker; empty: what Kubernetes says.
  std::string advertised_host;
  std::int32_t advertised_port = 0;  // of broker 0, plus the broker's number; 0: what it says
  Json annotations = Json::object();
};

struct MaintenanceWindow {
  std::vector<int> days;  // 0 is Sunday; empty: every day
  int start_minute = 0;   // of the day, UTC
  int minutes = 0;
};

struct ClusterSpec {
  std::string version;          // empty: not given
  std::string image;            // empty: not given
  std::vector<NodePool> pools;  // of brokers; the first is "broker"
  NodePool controllers;
  std::string rack_topology_key;  // empty: no racks
  std::vector<ListenerSpec> listeners;
  std::map<std::string, std::string> config;  // by Kafka's names
  bool paused = false;                        // no restarts
  int max_unavailable = 1;                    // brokers away at once for a restart
  std::optional<MaintenanceWindow> window;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
};

// OpenAPI v3 of the whole resource, without apiVersion, kind and metadata.
const Json& cluster_schema();

// Of the resource as the API server has it. Defaults are filled in.
std::expected<ClusterSpec, std::vector<Problem>> cluster_spec(const Json& resource);

}  // namespace kube
