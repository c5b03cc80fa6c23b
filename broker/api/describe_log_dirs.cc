// DescribeLogDirs, versions 1-5: the log directories with their space and the sizes of partitions.
#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/log/log_directories.h"
#include "broker/node/hosting.h"
#include "broker/node/partition.h"
#include "common/io/disk.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Result = wire::DescribeLogDirsResponse::DescribeLogDirsResult;
using Moves = std::vector<ReplicaMoves::View>;

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

// The copies of it that are to be in the directory one day.
void add_futures(const TopicPartitions& topic, const LogDirectory& directory,
                 const std::vector<std::int32_t>* asked, const Moves& moves,
                 wire::DescribeLogDirsResponse::DescribeLogDirsTopic& described) {
  for (const ReplicaMoves::View& move : moves) {
    if (move.to != &directory || move.topic_id != topic.id) continue;
    const std::int32_t index = move.name.partition;
    if (asked != nullptr && std::ranges::find(*asked, index) == asked->end()) continue;
    described.partitions.push_back({.partition_index = index,
                                    .partition_size = static_cast<std::int64_t>(move.size_bytes),
                                    .offset_lag = std::max<std::int64_t>(0, move.lag),
                                    .is_future_key = true});
  }
}

// The partitions of a topic that are in the directory and asked for.
void add_topic(const TopicPartitions& topic, const LogDirectory& directory,
               const std::vector<std::int32_t>* asked, const Moves& moves, Result& out) {
  wire::DescribeLogDirsResponse::DescribeLogDirsTopic described;
  described.name = topic.name;
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    if (topic.partitions[i] == nullptr || topic.partitions[i]->directory() != &directory) continue;
    if (asked != nullptr && std::ranges::find(*asked, index) == asked->end()) continue;
    add_partition(described, index, *topic.partitions[i]);
  }
  add_futures(topic, directory, asked, moves, described);
  if (!described.partitions.empty()) out.topics.push_back(std::move(described));
}

void add_topics(Context& context, const wire::DescribeLogDirsRequest& request,
                const LogDirectory& directory, const Moves& moves, Result& out) {
  const auto table = context.node.partitions->snapshot();
  if (!request.topics) {
    const auto image = context.node.image();  // sorted by name
    for (const auto& [name, topic] : image->topics()) {
      if (const auto* here = table->find(topic->id))
        add_topic(*here, directory, nullptr, moves, out);
    }
    return;
  }
  // Once, however often it is asked for.
  std::map<std::string_view, std::vector<std::int32_t>> asked;
  for (const auto& each : *request.topics) {
    auto& all = asked[each.topic];
    all.insert(all.end(), each.partitions.begin(), each.partitions.end());
  }
  for (const auto& [name, partitions] : asked) {
    const TopicPartitions* topic = table->find(name);
    if (topic != nullptr) add_topic(*topic, directory, &partitions, moves, out);
  }
}

}  // namespace

void describe_log_dirs(Context& context, const wire::DescribeLogDirsRequest& request,
                       Reply<wire::DescribeLogDirsResponse> reply) {
  wire::DescribeLogDirsResponse response;
  const LogDirectories& directories = *context.node.directories;
  const Moves moves = context.node.hosting->moves();
  for (const auto& store : directories.all()) {
    Result& out = response.results.emplace_back();
    out.log_dir = store->directory->path();
    if (store->failed()) {
      out.error_code = ErrorCode::kKafkaStorageError;
      continue;
    }
    if (const auto space = context.node.disk.space(out.log_dir)) {
      out.total_bytes = static_cast<std::int64_t>(space->total_bytes);
      out.usable_bytes = static_cast<std::int64_t>(space->free_bytes);
    }
    add_topics(context, request, *store->directory, moves, out);
  }
  for (const auto& unreadable : directories.unreadable()) {
    Result& out = response.results.emplace_back();
    out.log_dir = unreadable.path;
    out.error_code = ErrorCode::kKafkaStorageError;
  }
  reply(response);
}

}  // namespace broker::api
