// DescribeTopicPartitions, version 0 (KIP-966): topics sorted by name, page by page.
#include <algorithm>
#include <set>

#include "broker/api/handlers.h"
#include "broker/api/lookup.h"
#include "common/wire/msg/describe_topic_partitions_request.h"
#include "common/wire/msg/describe_topic_partitions_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Response = wire::DescribeTopicPartitionsResponse;

void describe(const meta::Image& image, const meta::Partition& partition, std::int32_t index,
              Response::DescribeTopicPartitionsResponsePartition& out) {
  out.partition_index = index;
  out.leader_id = partition.leader.value();
  out.leader_epoch = partition.leader_epoch.value();
  if (partition.leader == meta::kNoBroker) out.error_code = ErrorCode::kLeaderNotAvailable;
  for (const auto id : partition.replicas) {
    out.replica_nodes.push_back(id.value());
    if (image.is_offline(id, partition)) out.offline_replicas.push_back(id.value());
  }
  if (!partition.isr_lost) {
    for (const auto id : partition.isr) out.isr_nodes.push_back(id.value());
  }
  out.eligible_leader_replicas.emplace();
  for (const auto id : partition.elr) out.eligible_leader_replicas->push_back(id.value());
  out.last_known_elr.emplace();
}

}  // namespace

void describe_topic_partitions(Context& context,
                               const wire::DescribeTopicPartitionsRequest& request,
                               Reply<wire::DescribeTopicPartitionsResponse> reply) {
  const auto image = context.node.image();
  Response response;
  std::set<std::string> names;
  if (request.topics.empty()) {
    for (const auto& [name, topic] : image->topics()) names.insert(name);
  } else {
    for (const auto& topic : request.topics) names.insert(topic.name);
  }
  const std::string first = request.cursor ? request.cursor->topic_name : std::string();
  std::int32_t left = std::clamp(request.response_partition_limit, 1,
                                 std::max(1, context.node.config.request_partition_size_limit));
  for (auto name = names.lower_bound(first); name != names.end(); ++name) {
    const meta::Topic* topic = image->topic(*name);
    std::int32_t start =
        request.cursor && *name == first ? std::max(0, request.cursor->partition_index) : 0;
    if (left == 0) {
      response.next_cursor = {.topic_name = *name, .partition_index = start};
      break;
    }
    auto& out = response.topics.emplace_back();
    out.name = *name;
    if (topic == nullptr) {
      out.error_code = ErrorCode::kUnknownTopicOrPartition;
      continue;
    }
    out.topic_id = topic->id;
    out.is_internal = topic->is_internal;
    out.topic_authorized_operations = kTopicOperations;
    const auto count = static_cast<std::int32_t>(topic->partitions.size());
    for (; start < count && left > 0; ++start, --left) {
      describe(*image, topic->partitions[static_cast<std::size_t>(start)], start,
               out.partitions.emplace_back());
    }
    if (start < count) {
      response.next_cursor = {.topic_name = *name, .partition_index = start};
      break;
    }
  }
  reply(response);
}

}  // namespace broker::api
