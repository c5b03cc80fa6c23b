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

ErrorCode check_leader_epoch(std::int32_t of_client, base::LeaderEpoch ours) {
  if (of_client < 0 || of_client == ours.value()) return ErrorCode::kNone;
  return of_client < ours.value() ? ErrorCode::kFencedLeaderEpoch : ErrorCode::kUnknownLeaderEpoch;
}

}  // namespace broker::api
