// What a plan asks to be done, as plain values. The operator's node carries actions out one after
// the other and stops at the first that fails; the plan is then made anew from what is seen. So
// every action may be the last one that happens, and each may be repeated.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "operator/types/json.h"

namespace kube {

// One field manager for ever: another name would not own what this one wrote.
inline constexpr const char* kFieldManager = "moldau-operator";

// An object's name within its namespace, for messages, deletions and events.
struct ObjectName {
  std::string api_version;  // "v1", "policy/v1"
  std::string kind;
  std::string name_space;
  std::string name;
  friend bool operator==(const ObjectName&, const ObjectName&) = default;
};

// ---- at the API server

// Server-side apply of the whole object as we want it, with force, as kFieldManager.
struct ApplyObject {
  Json object;
  friend bool operator==(const ApplyObject&, const ApplyObject&) = default;
};
// Only that very object: `uid` and, unless empty, `resource_version` are preconditions. That it is
// gone already is a success; a conflict ends the plan without an error.
struct DeleteObject {
  ObjectName object;
  std::string uid;
  std::string resource_version;
  friend bool operator==(const DeleteObject&, const DeleteObject&) = default;
};
// The resource's status as a whole: server-side apply of {apiVersion, kind, metadata, status} to
// its subresource /status, with force. That the resource is gone is a success.
struct PatchStatus {
  Json status;
  friend bool operator==(const PatchStatus&, const PatchStatus&) = default;
};
// The resource's finalizers as a whole: merge patch, with the resource version as precondition.
// That the resource is gone is a success.
struct PatchFinalizers {
  std::vector<std::string> finalizers;
  std::string resource_version;
  friend bool operator==(const PatchFinalizers&, const PatchFinalizers&) = default;
};
// An Event about the resource (events.k8s.io/v1). That it cannot be written is no failure.
struct EmitEvent {
  enum class Type : std::uint8_t { kNormal, kWarning };
  Type type = Type::kNormal;
  std::string reason;  // CamelCase
  std::string action;  // CamelCase: what was done or tried
  std::string note;    // at most 1 KiB
  std::optional<ObjectName> related;
  friend bool operator==(const EmitEvent&, const EmitEvent&) = default;
};

// ---- at the active controller of the cluster (proto/controller.proto, service Admin)

struct DrainBroker {
  std::int32_t broker = 0;
  friend bool operator==(const DrainBroker&, const DrainBroker&) = default;
};
struct ResumeBroker {
  std::int32_t broker = 0;
  friend bool operator==(const ResumeBroker&, const ResumeBroker&) = default;
};
// BROKER_ID_NOT_REGISTERED is a success.
struct UnregisterBroker {
  std::int32_t broker = 0;
  friend bool operator==(const UnregisterBroker&, const UnregisterBroker&) = default;
};
// DUPLICATE_VOTER is a success.
struct AddVoter {
  std::int32_t controller = 0;
  std::string host;  // for the other controllers: a name that outlives the Pod
  std::uint16_t port = 0;
  friend bool operator==(const AddVoter&, const AddVoter&) = default;
};
// VOTER_NOT_FOUND is a success. NOT_CONTROLLER: the leader hands over first; asked again later.
struct RemoveVoter {
  std::int32_t controller = 0;
  friend bool operator==(const RemoveVoter&, const RemoveVoter&) = default;
};
// Rebalance with execute.
struct EvenOut {
  friend bool operator==(const EvenOut&, const EvenOut&) = default;
};
// IncrementalAlterConfigs: a value sets, no value resets.
using ConfigChanges = std::map<std::string, std::optional<std::string>>;
// Of all brokers (resource type BROKER, name "").
struct AlterClusterConfigs {
  ConfigChanges changes;
  friend bool operator==(const AlterClusterConfigs&, const AlterClusterConfigs&) = default;
};
struct AlterTopicConfigs {
  std::string topic;
  ConfigChanges changes;
  friend bool operator==(const AlterTopicConfigs&, const AlterTopicConfigs&) = default;
};
// TOPIC_ALREADY_EXISTS is a success: the next plan sees it.
struct CreateTopic {
  std::string topic;
  std::int32_t partitions = -1;          // -1: the brokers' default
  std::int32_t replication_factor = -1;  // -1: the brokers' default
  std::map<std::string, std::string> configs;
  friend bool operator==(const CreateTopic&, const CreateTopic&) = default;
};
struct CreatePartitions {
  std::string topic;
  std::int32_t count = 0;  // the new total
  friend bool operator==(const CreatePartitions&, const CreatePartitions&) = default;
};
// AlterPartitionReassignments: the new replicas of some partitions, preferred leader first.
struct Reassign {
  std::string topic;
  std::map<std::int32_t, std::vector<std::int32_t>> replicas;
  friend bool operator==(const Reassign&, const Reassign&) = default;
};
// By id, so that never another topic of that name goes. UNKNOWN_TOPIC_ID is a success.
struct DeleteTopic {
  std::string topic;     // for messages
  std::string topic_id;  // as TopicSeen has it
  friend bool operator==(const DeleteTopic&, const DeleteTopic&) = default;
};

using Action = std::variant<ApplyObject, DeleteObject, PatchStatus, PatchFinalizers, EmitEvent,
                            DrainBroker, ResumeBroker, UnregisterBroker, AddVoter, RemoveVoter,
                            EvenOut, AlterClusterConfigs, AlterTopicConfigs, CreateTopic,
                            CreatePartitions, Reassign, DeleteTopic>;

// What the action is and what it concerns, for logs: "apply Pod demo-broker-1".
std::string describe(const Action& action);

struct Plan {
  std::vector<Action> actions;  // in order; empty: all is as it should be
  // Look again after that, also when no object changes meanwhile: what the controllers say is not
  // watched. Nothing: not needed.
  std::optional<std::chrono::milliseconds> look_again;
};

}  // namespace kube
