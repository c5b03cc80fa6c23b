// Finding what a request names, with the error that Kafka gives when it is not here.
#pragma once

#include <memory>
#include <string_view>

#include "broker/node/partition.h"
#include "broker/node/partition_table.h"
#include "common/wire/error_code.h"

namespace broker::api {

struct FoundPartition {
  std::shared_ptr<Partition> partition;  // null with an error
  wire::ErrorCode error = wire::ErrorCode::kNone;
};

FoundPartition find_partition(const PartitionTable::Snapshot& table, std::string_view topic,
                              std::int32_t partition);

// May this broker answer for the partition as its leader? `epoch_of_client` is the client's idea of
// the leader epoch (KIP-320): -1 is no idea.
wire::ErrorCode check_leader(const Partition::Bounds& bounds, std::int32_t epoch_of_client = -1);

// Everything that may be done to a topic or a cluster while nobody is denied anything: the bit sets
// that Metadata and DescribeCluster answer with.
inline constexpr std::int32_t kTopicOperations = 0b1101'1111'1000;
inline constexpr std::int32_t kClusterOperations = 0b1'1111'1010'0000;
inline constexpr std::int32_t kGroupOperations = 0b1101'0100'1000;

}  // namespace broker::api
