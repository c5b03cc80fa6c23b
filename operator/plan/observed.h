// What a plan is made from, as plain values: what the API server holds, what the active controller
// answered. Gathered by operator/node, judged by operator/plan. All of it may be a moment old.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/types/json.h"

namespace kube {

// An action of the last plan for this resource that failed; forgotten when it succeeds.
struct Failure {
  std::string action;   // describe(action)
  std::string message;  // what the API server or the controller said
};

// ---- what the active controller says

struct BrokerSeen {
  std::int32_t id = 0;
  std::string rack;
  bool fenced = false;    // no heartbeat comes: it is not there, or not yet
  bool draining = false;  // DrainBroker was asked for and not taken back
  std::int32_t replicas = 0;
  std::int32_t leaders = 0;
};
struct VoterSeen {
  std::int32_t id = 0;
  std::int64_t last_contact_ms = -1;    // ago; -1: never
  std::int64_t last_caught_up_ms = -1;  // ago; -1: never; of the leader 0
};
// Of ClusterHealth. The kinds are FindingKind's (proto/controller.proto).
struct FindingSeen {
  enum class Kind : std::uint8_t {
    kUnknown = 0,
    kOffline = 1,
    kUnderMinIsr = 2,
    kUnderReplicated = 3,
    kBrokerFenced = 4,
    kBrokerDraining = 5,
    kReassigning = 6,
    kLeaderNotPreferred = 7,
  };
  Kind kind = Kind::kUnknown;
  std::int32_t count = 0;
  std::int32_t broker = -1;
  std::string message;
};
// Of MayRestart. An error of the call counts as no, with the error as the reason.
struct MayRestart {
  bool yes = false;
  std::vector<std::string> reasons;
};
// Of DrainBroker, asked again for a broker that drains.
struct DrainSeen {
  std::int32_t replicas_left = 0;
  std::int32_t leaders_left = 0;
  std::int32_t moving = 0;
  std::vector<std::string> obstacles;
};

struct ControlSeen {
  std::string cluster_id;      // 22 characters of base64
  std::int32_t leader_id = 0;  // the active controller
  std::vector<VoterSeen> voters;
  std::vector<BrokerSeen> brokers;  // registered, by id
  std::vector<FindingSeen> findings;
  bool healthy = false;
  std::map<std::string, std::string> cluster_configs;  // dynamic, of all brokers (BROKER, name "")
  // Answers to ClusterQuestions; what was not asked is absent.
  std::map<std::int32_t, MayRestart> may_restart;
  std::map<std::int32_t, DrainSeen> drains;
  std::optional<std::int32_t> even_out_moves;  // of Rebalance without execute: how many moves
};

// What is to be asked for this plan, beyond what is always observed. Empty for a cluster at rest.
struct ClusterQuestions {
  std::set<std::int32_t> may_restart;  // Admin/MayRestart of each
  std::set<std::int32_t> drains;       // Admin/DrainBroker of each: it drains already
  bool even_out = false;               // Admin/Rebalance without execute
  friend bool operator==(const ClusterQuestions&, const ClusterQuestions&) = default;
};

// ---- all about one Cluster

struct ClusterHave {
  Json resource;  // the Cluster, as the API server has it
  // Every Pod, PersistentVolumeClaim, Service, ConfigMap and PodDisruptionBudget of its namespace
  // with the label moldau.dev/cluster=<its name>. Only these kinds; kind and apiVersion set.
  std::vector<Json> objects;
  // Nothing when no active controller answered; then control_error says why.
  std::optional<ControlSeen> control;
  std::string control_error;
  // Only when spec.rack is given: the label at spec.rack.topologyKey of the Nodes that have it, by
  // the Node's name.
  std::map<std::string, std::string> node_racks;
  std::vector<Failure> failures;
};

// ---- all about one Topic

struct PartitionSeen {
  std::vector<std::int32_t> replicas;  // preferred leader first; with those being added
  std::vector<std::int32_t> isr;
  std::vector<std::int32_t> adding;
  std::vector<std::int32_t> removing;
  std::int32_t leader = -1;  // -1: nobody
};
struct TopicSeen {
  std::string id;  // 22 characters of base64
  std::vector<PartitionSeen> partitions;
  std::map<std::string, std::string> configs;  // its overrides
};
// Another Topic in the namespace with the same clusterRef and the same name of the topic.
struct Rival {
  std::string name;
  std::string uid;
  std::string creation_timestamp;  // RFC 3339, as in metadata
};
// The Cluster that a Topic names.
enum class ClusterPresence : std::uint8_t {
  kAbsent,       // there is no such Cluster
  kDeleting,     // it has a deletion timestamp
  kUnreachable,  // no active controller answered: control_error
  kReachable,
};

struct TopicHave {
  Json resource;  // the Topic, as the API server has it
  ClusterPresence cluster = ClusterPresence::kAbsent;
  std::string control_error;
  std::optional<TopicSeen> topic;   // nothing: the cluster has none of that name
  std::vector<BrokerSeen> brokers;  // registered
  std::vector<Rival> rivals;        // that have no deletion timestamp
  std::vector<Failure> failures;
};

}  // namespace kube
