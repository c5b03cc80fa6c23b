#include "operator/types/conditions.h"

namespace kube {
namespace {

constexpr ReasonMeaning kMeanings[] = {
    {reason::kActionFailed, "Cluster, Topic", "Something that was asked for was refused.",
     "The message says by whom and why; it is tried again."},
    {reason::kAsWanted, "Cluster, Topic", "Nothing is to be done.", ""},
    {reason::kChanging, "Cluster, Topic", "Something is being changed.", "Wait."},
    {reason::kClusterNotFound, "Topic", "The Cluster of spec.clusterRef does not exist here.",
     "Create it, or correct the name in a new Topic."},
    {reason::kClusterUnreachable, "Topic", "No controller of the Cluster answers.",
     "Look at the Cluster's conditions; the Topic goes on by itself."},
    {reason::kConflict, "Topic", "An older Topic stands for the same name.", "Delete one of both."},
    {reason::kControllersLost, "Cluster",
     "The controllers' volumes are gone, the brokers' are not.",
     "Restore them from a copy; without them, what the brokers hold has no names any more."},
    {reason::kControllersUnreachable, "Cluster", "No active controller answers the operator.",
     "Look at the controllers' Pods, and at NetworkPolicies between operator and controllers."},
    {reason::kCreating, "Topic", "The topic is being created.", "Wait."},
    {reason::kDeleting, "Topic", "The topic is being deleted.", "Wait."},
    {reason::kDraining, "Cluster", "Replicas move away from a broker that is to go.",
     "Wait, or raise replicas again to cancel. The message names what stands in the way."},
    {reason::kEveningOut, "Cluster", "Replicas move onto a new broker.", "Wait."},
    {reason::kInvalidSpec, "Cluster, Topic", "The spec cannot be carried out.",
     "The message names the field. Nothing is changed until it is right."},
    {reason::kMayNotRestart, "Cluster", "The controller says that a broker may not restart now.",
     "The message names the partition. It usually passes; else see the cluster's health."},
    {reason::kNotReconciled, "Cluster, Topic", "The operator has not seen the resource yet.",
     "Is the operator running, and does it watch this namespace?"},
    {reason::kOutsideWindow, "Cluster", "Restarts wait for spec.updatePolicy.maintenanceWindow.",
     "Wait, or remove the window."},
    {reason::kPartitionDecrease, "Topic", "Fewer partitions are wanted than there are.",
     "Kafka cannot do that: raise spec.partitions again."},
    {reason::kPaused, "Cluster", "Restarts are switched off by spec.updatePolicy.paused.",
     "Switch it off to let the update go on."},
    {reason::kPodNotReady, "Cluster", "A Pod is not ready (yet).",
     "Wait; look at its log if it takes long. No other Pod is restarted meanwhile."},
    {reason::kPodStuck, "Cluster", "A Pod cannot start: no node, no volume, no image, it crashes.",
     "The message has Kubernetes' reason. Mend the spec: a stuck Pod is replaced at once."},
    {reason::kQuorumChanging, "Cluster", "A controller joins or leaves the quorum.", "Wait."},
    {reason::kQuorumNotCaughtUp, "Cluster", "A controller must not restart: another one lags.",
     "Wait; look at the controllers' Pods if it takes long."},
    {reason::kReady, "Cluster, Topic", "It serves.", ""},
    {reason::kReassigning, "Topic", "Replicas are being added or removed.", "Wait."},
    {reason::kRolling, "Cluster", "Pods are restarted one after the other.", "Wait."},
    {reason::kScalingUp, "Cluster", "Brokers are being added.", "Wait."},
    {reason::kStarting, "Cluster", "The cluster starts for the first time.", "Wait."},
    {reason::kTooFewBrokers, "Topic", "More replicas are wanted than there are brokers.",
     "Add brokers or lower spec.replicationFactor."},
    {reason::kTopicIdentityChanged, "Topic",
     "The topic was deleted and made anew by somebody else.",
     "To adopt the new one, delete this Topic (with deletionPolicy Retain) and apply it again."},
    {reason::kTopicVanished, "Topic", "The topic was deleted by somebody else.",
     "To make it anew, empty, delete this Topic and apply it again."},
    {reason::kUnhealthy, "Cluster", "Partitions are offline or under-replicated.",
     "The message is what `moldau cluster health` says."},
    {reason::kVolumeResizing, "Cluster", "A volume grows.", "Wait."},
    {reason::kWaitingForAddress, "Cluster", "A Service has no address for a listener yet.",
     "Is there a load balancer in this Kubernetes cluster?"},
    {reason::kWaitingForInSync, "Cluster", "Replicas catch up before the next restart.", "Wait."},
};

}  // namespace

std::span<const ReasonMeaning> reason_meanings() { return kMeanings; }

Json first_conditions() {
  Json out = Json::array();
  for (const std::string_view type :
       {condition::kReady, condition::kProgressing, condition::kDegraded,
        condition::kUpgradeBlocked, condition::kStable}) {
    out.push_back({{"type", type},
                   {"status", "Unknown"},
                   {"reason", reason::kNotReconciled},
                   {"message", "The operator has not seen this resource yet."},
                   {"lastTransitionTime", "1970-01-01T00:00:00Z"}});
  }
  return out;
}

}  // namespace kube
