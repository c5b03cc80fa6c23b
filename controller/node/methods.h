// Names of the controller's methods on io::Rpc. Shared with nobody by include: the broker's client
// has the same strings, and a test over both keeps them equal.
#pragma once

namespace controller::methods {

inline constexpr const char* kCreateTopics = "Admin/CreateTopics";
inline constexpr const char* kDeleteTopics = "Admin/DeleteTopics";
inline constexpr const char* kCreatePartitions = "Admin/CreatePartitions";
inline constexpr const char* kIncrementalAlterConfigs = "Admin/IncrementalAlterConfigs";
inline constexpr const char* kAlterConfigs = "Admin/AlterConfigs";
inline constexpr const char* kUpdateFeatures = "Admin/UpdateFeatures";
inline constexpr const char* kElectLeaders = "Admin/ElectLeaders";
inline constexpr const char* kAlterPartitionReassignments = "Admin/AlterPartitionReassignments";
inline constexpr const char* kListPartitionReassignments = "Admin/ListPartitionReassignments";
inline constexpr const char* kUnregisterBroker = "Admin/UnregisterBroker";
inline constexpr const char* kDrainBroker = "Admin/DrainBroker";
inline constexpr const char* kResumeBroker = "Admin/ResumeBroker";
inline constexpr const char* kMayRestart = "Admin/MayRestart";
inline constexpr const char* kClusterHealth = "Admin/ClusterHealth";
inline constexpr const char* kDescribeTopics = "Admin/DescribeTopics";
inline constexpr const char* kDescribeCluster = "Admin/DescribeCluster";
inline constexpr const char* kDescribeQuorum = "Admin/DescribeQuorum";
inline constexpr const char* kRebalance = "Admin/Rebalance";
inline constexpr const char* kAllocateProducerIds = "Broker/AllocateProducerIds";
inline constexpr const char* kRegisterBroker = "Broker/Register";
inline constexpr const char* kHeartbeat = "Broker/Heartbeat";
inline constexpr const char* kAlterPartition = "Broker/AlterPartition";
inline constexpr const char* kMetadata = "Broker/Metadata";
inline constexpr const char* kAddVoter = "Admin/AddVoter";
inline constexpr const char* kRemoveVoter = "Admin/RemoveVoter";
inline constexpr const char* kQuorumStep = "Quorum/Step";
inline constexpr const char* kQuorumWatch = "Quorum/Watch";
inline constexpr const char* kQuorumProbe = "Quorum/Probe";
inline constexpr const char* kQuorumMembers = "Quorum/Members";

}  // namespace controller::methods
