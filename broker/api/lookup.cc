#include "broker/api/lookup.h"

namespace broker::api {

using wire::ErrorCode;

FoundPartition find_partition(const PartitionTable::Snapshot& table, std::string_view topic,
                              std::int32_t partition) {
  const TopicPartitions* found = table.find(topic);
  if (found == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= found->partitions.size()) {
    return {nullptr, ErrorCode::kUnknownTopicOrPartition};
  }
  auto here = found->partitions[static_cast<std::size_t>(partition)];
  if (here == nullptr) return {nullptr, ErrorCode::kNotLeaderOrFollower};
  return {std::move(here), ErrorCode::kNone};
}

ErrorCode check_leader(const Partition::Bounds& bounds, std::int32_t epoch_of_client) {
  const std::int32_t ours = bounds.leader_epoch.value();
  if (epoch_of_client >= 0 && epoch_of_client < ours) return ErrorCode::kFencedLeaderEpoch;
  if (epoch_of_client > ours) return ErrorCode::kUnknownLeaderEpoch;
  return bounds.is_leader ? ErrorCode::kNone : ErrorCode::kNotLeaderOrFollower;
}

}  // namespace broker::api
