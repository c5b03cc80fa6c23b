// DescribeLogDirs, versions 1-5: the log directory with its space and the sizes of partitions.
#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/log/log_directory.h"
#include "broker/node/partition.h"
#include "common/io/disk.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Result = wire::DescribeLogDirsResponse::DescribeLogDirsResult;

void add_partition(wire::DescribeLogDirsResponse::DescribeLogDirsTopic& topic, std::int32_t index,
                   Partition& partition) {
  auto& out = topic.partitions.emplace_back();
  out.partition_index = index;
  const auto bounds = partition.bounds();
  out.partition_size = static_cast<std::int64_t>(bounds.size_bytes);
  // What a follower lacks of what its leader has committed.
  out.offset_lag = std::max<std::int64_t>(0, bounds.leader_watermark - bounds.end);
  out.is_future_key = false;
}

void add_topic(const TopicPartitions& topic, Result& out) {
  wire::DescribeLogDirsResponse::DescribeLogDirsTopic described;
  described.name = topic.name;
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    if (topic.partitions[i] == nullptr) continue;
    add_partition(described, static_cast<std::int32_t>(i), *topic.partitions[i]);
  }
  if (!described.partitions.empty()) out.topics.push_back(std::move(described));
}

}  // namespace

void describe_log_dirs(Context& context, const wire::DescribeLogDirsRequest& request,
                       Reply<wire::DescribeLogDirsResponse> reply) {
  const auto table = context.node.partitions->snapshot();
  wire::DescribeLogDirsResponse response;
  Result& out = response.results.emplace_back();
  out.log_dir = context.node.log_directory->path();
  if (context.node.log_directory->failed()) {
    out.error_code = ErrorCode::kKafkaStorageError;
    return reply(response);
  }
  if (const auto space = context.node.disk.space(out.log_dir)) {
    out.total_bytes = static_cast<std::int64_t>(space->total_bytes);
    out.usable_bytes = static_cast<std::int64_t>(space->free_bytes);
  }
  if (!request.topics) {
    const auto image = context.node.image();  // sorted by name
    for (const auto& [name, topic] : image->topics()) {
      if (const auto* here = table->find(topic->id)) add_topic(*here, out);
    }
    return reply(response);
  }
  for (const auto& asked : *request.topics) {
    const TopicPartitions* topic = table->find(asked.topic);
    if (topic == nullptr) continue;
    auto& described = out.topics.emplace_back();
    described.name = asked.topic;
    for (const std::int32_t index : asked.partitions) {
      const auto partition = table->find(asked.topic, index);
      if (partition != nullptr) add_partition(described, index, *partition);
    }
  }
  reply(response);
}

}  // namespace broker::api
