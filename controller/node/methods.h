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
inline constexpr const char* kAllocateProducerIds = "Broker/AllocateProducerIds";
inline constexpr const char* kRegisterBroker = "Broker/Register";
inline constexpr const char* kMetadata = "Broker/Metadata";

}  // namespace controller::methods
