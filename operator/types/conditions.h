// The conditions of every resource, and each reason one may have, with what it means: the one list
// that plans take from and the documentation is made of.
#pragma once

#include <span>
#include <string_view>

#include "operator/types/json.h"

namespace kube {

namespace condition {
inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kProgressing = "Progressing";
inline constexpr std::string_view kDegraded = "Degraded";
inline constexpr std::string_view kUpgradeBlocked = "UpgradeBlocked";
inline constexpr std::string_view kStable = "Stable";
}  // namespace condition

namespace reason {
// Of both kinds.
inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kAsWanted = "AsWanted";
inline constexpr std::string_view kNotReconciled = "NotReconciled";
inline constexpr std::string_view kInvalidSpec = "InvalidSpec";
inline constexpr std::string_view kActionFailed = "ActionFailed";
inline constexpr std::string_view kChanging = "Changing";
// Of a Cluster.
inline constexpr std::string_view kStarting = "Starting";
inline constexpr std::string_view kPodNotReady = "PodNotReady";
inline constexpr std::string_view kPodStuck = "PodStuck";
inline constexpr std::string_view kControllersUnreachable = "ControllersUnreachable";
inline constexpr std::string_view kControllersLost = "ControllersLost";
inline constexpr std::string_view kUnhealthy = "Unhealthy";
inline constexpr std::string_view kRolling = "Rolling";
inline constexpr std::string_view kScalingUp = "ScalingUp";
inline constexpr std::string_view kDraining = "Draining";
inline constexpr std::string_view kQuorumChanging = "QuorumChanging";
inline constexpr std::string_view kEveningOut = "EveningOut";
inline constexpr std::string_view kWaitingForAddress = "WaitingForAddress";
inline constexpr std::string_view kVolumeResizing = "VolumeResizing";
inline constexpr std::string_view kPaused = "Paused";
inline constexpr std::string_view kOutsideWindow = "OutsideMaintenanceWindow";
inline constexpr std::string_view kMayNotRestart = "MayNotRestart";
inline constexpr std::string_view kWaitingForInSync = "WaitingForInSync";
inline constexpr std::string_view kQuorumNotCaughtUp = "QuorumNotCaughtUp";
// Of a Topic.
inline constexpr std::string_view kClusterNotFound = "ClusterNotFound";
inline constexpr std::string_view kClusterUnreachable = "ClusterUnreachable";
inline constexpr std::string_view kConflict = "Conflict";
inline constexpr std::string_view kTopicVanished = "TopicVanished";
inline constexpr std::string_view kTopicIdentityChanged = "TopicIdentityChanged";
inline constexpr std::string_view kPartitionDecrease = "PartitionDecrease";
inline constexpr std::string_view kTooFewBrokers = "TooFewBrokers";
inline constexpr std::string_view kReassigning = "Reassigning";
inline constexpr std::string_view kCreating = "Creating";
inline constexpr std::string_view kDeleting = "Deleting";
}  // namespace reason

struct ReasonMeaning {
  std::string_view reason;
  std::string_view kinds;  // "Cluster", "Topic" or "Cluster, Topic"
  std::string_view meaning;
  std::string_view what_to_do;
};
// Every reason once, in order of the alphabet.
std::span<const ReasonMeaning> reason_meanings();

// The conditions that a resource has before the operator has seen it: the CRD's default.
Json first_conditions();

}  // namespace kube
