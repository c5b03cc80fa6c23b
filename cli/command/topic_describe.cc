#include "cli/command/topic_describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/client/offsets.h"
#include "cli/command/config_change.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"

namespace cli {
namespace {

using MetadataTopic = wire::MetadataResponse::MetadataResponseTopic;
using MetadataPartition = wire::MetadataResponse::MetadataResponsePartition;

struct PartitionFacts {
  MetadataPartition metadata;
  std::optional<std::int64_t> start;
  std::optional<std::int64_t> end;
  std::optional<std::int64_t> size;  // of the leader's replica
};

struct TopicFacts {
  MetadataTopic metadata;
  std::vector<wire::DescribeConfigsResponse::DescribeConfigsResourceResult> configs;
  std::vector<PartitionFacts> partitions;
};

bool is_under_replicated(const MetadataPartition& partition) {
  return partition.isr_nodes.size() < partition.replica_nodes.size();
}

std::vector<PartitionFacts> gather_partitions(Cluster& cluster, const MetadataTopic& topic) {
  TopicInfo info{.name = topic.name.value_or(""), .id = topic.topic_id, .partitions = {}};
  auto partitions = topic.partitions;
  std::ranges::sort(partitions, {}, &MetadataPartition::partition_index);
  std::set<std::int32_t> leaders;
  for (const MetadataPartition& partition : partitions) {
    info.partitions.push_back({partition.leader_id, partition.leader_epoch});
    if (partition.leader_id >= 0) leaders.insert(partition.leader_id);
  }
  std::map<std::int32_t, ReplicaSizes> sizes;
  for (std::int32_t leader : leaders) sizes[leader] = replica_sizes(cluster, leader, &info);
  auto starts = list_offsets_leniently(cluster, info, kEarliest);
  auto ends = list_offsets_leniently(cluster, info, kLatest);
  std::vector<PartitionFacts> facts;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    PartitionFacts& entry = facts.emplace_back();
    entry.metadata = partitions[i];
    entry.start = starts[i];
    entry.end = ends[i];
    auto of_leader = sizes.find(partitions[i].leader_id);
    if (of_leader == sizes.end()) continue;
    auto size = of_leader->second.find({info.name, partitions[i].partition_index});
    if (size != of_leader->second.end()) entry.size = size->second;
  }
  return facts;
}

TopicFacts gather(const DescribeTopicOptions& options, Cluster& cluster,
                  const MetadataTopic& topic) {
  std::string name = topic.name.value_or("");
  if (topic.error_code != wire::ErrorCode::kNone &&
      topic.error_code != wire::ErrorCode::kLeaderNotAvailable) {
    Trouble trouble = refusal("topic " + name, topic.error_code);
    throw Failure(trouble.what, trouble.hint);
  }
  TopicFacts facts;
  facts.metadata = topic;
  ConfigResource resource{ConfigResource::Kind::kTopic, name};
  facts.configs = read_configs(cluster, resource, {}, false);
  if (!options.all_configs) {
    std::erase_if(facts.configs, [&](const auto& config) {
      return !is_own_config(resource, config.config_source);
    });
  }
  facts.partitions = gather_partitions(cluster, topic);
  std::erase_if(facts.partitions, [&](const PartitionFacts& partition) {
    if (options.under_replicated && !is_under_replicated(partition.metadata)) return true;
    return options.unavailable && partition.metadata.leader_id >= 0;
  });
  return facts;
}

Json json_of(const std::optional<std::int64_t>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json to_json(const TopicFacts& facts) {
  const MetadataTopic& topic = facts.metadata;
  Json configs = Json::object();
  for (const auto& config : facts.configs) {
    configs[config.name] = config.value ? Json(*config.value) : Json(nullptr);
  }
  Json partitions = Json::array();
  for (const PartitionFacts& partition : facts.partitions) {
    const MetadataPartition& metadata = partition.metadata;
    partitions.push_back(
        {{"partition", metadata.partition_index},
         {"leader", metadata.leader_id < 0 ? Json(nullptr) : Json(metadata.leader_id)},
         {"leader_epoch", metadata.leader_epoch},
         {"replicas", metadata.replica_nodes},
         {"isr", metadata.isr_nodes},
         {"offline_replicas", metadata.offline_replicas},
         {"start_offset", json_of(partition.start)},
         {"end_offset", json_of(partition.end)},
         {"size_bytes", json_of(partition.size)}});
  }
  return {{"name", topic.name.value_or("")},
          {"topic_id", topic.topic_id.to_string()},
          {"internal", topic.is_internal},
          {"partition_count", topic.partitions.size()},
          {"replication_factor",
           topic.partitions.empty() ? 0 : topic.partitions[0].replica_nodes.size()},
          {"configs", std::move(configs)},
          {"partitions", std::move(partitions)}};
}

std::string text_of(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

std::string to_text(const TopicFacts& facts, bool color) {
  const MetadataTopic& topic = facts.metadata;
  Facts head;
  head.add("Topic", topic.name.value_or("") + (topic.is_internal ? " (internal)" : ""));
  if (!topic.topic_id.is_zero()) head.add("TopicId", topic.topic_id.to_string());
  head.add("PartitionCount", std::to_string(topic.partitions.size()));
  head.add("ReplicationFactor",
           std::to_string(topic.partitions.empty() ? 0 : topic.partitions[0].replica_nodes.size()));
  std::string name = "Configs";
  for (const auto& config : facts.configs) {
    head.add(name, fmt::format("{}={}", config.name, config.value.value_or("(hidden)")));
    name.clear();
  }
  Table table({{"PARTITION", true},
               {"LEADER", true},
               {"EPOCH", true},
               {"REPLICAS"},
               {"ISR"},
               {"START", true},
               {"END", true},
               {"SIZE", true}});
  for (const PartitionFacts& partition : facts.partitions) {
    const MetadataPartition& metadata = partition.metadata;
    table.add({std::to_string(metadata.partition_index),
               metadata.leader_id < 0 ? "none" : std::to_string(metadata.leader_id),
               std::to_string(metadata.leader_epoch), joined(metadata.replica_nodes),
               joined(metadata.isr_nodes), text_of(partition.start), text_of(partition.end),
               partition.size ? human_bytes(*partition.size) : "-"});
  }
  return head.draw(color) + (table.empty() ? "" : "\n" + table.draw(color));
}

}  // namespace

ReplicaSizes replica_sizes(Cluster& cluster, std::int32_t broker, const TopicInfo* topic) {
  Deadline until = cluster.deadline().within(std::chrono::milliseconds(5000));
  auto connection = cluster.connect(Target::broker_id(broker), until);
  if (!connection) return {};
  wire::DescribeLogDirsRequest request;
  request.topics.reset();
  if (topic) {
    // Partitions that the broker does not have are not in its answer: naming all is harmless.
    auto& asked = request.topics.emplace().emplace_back();
    asked.topic = topic->name;
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      asked.partitions.push_back(static_cast<std::int32_t>(i));
    }
  }
  auto reply = Cluster::exchange<wire::DescribeLogDirsResponse>(**connection, request, until);
  if (!reply) return {};
  ReplicaSizes sizes;
  for (const auto& directory : reply->body.results) {
    for (const auto& held : directory.topics) {
      for (const auto& partition : held.partitions) {
        if (partition.is_future_key) continue;
        sizes[{held.name, partition.partition_index}] = partition.partition_size;
      }
    }
  }
  return sizes;
}

void describe_topics(const DescribeTopicOptions& options, Context& context) {
  auto metadata = context.cluster().metadata(options.names);
  Json json = Json::array();
  std::string text;
  for (const std::string& name : options.names) {
    auto topic = std::ranges::find(
        metadata.topics, name, [](const MetadataTopic& entry) { return entry.name.value_or(""); });
    if (topic == metadata.topics.end()) continue;
    TopicFacts facts = gather(options, context.cluster(), *topic);
    if (context.json()) {
      json.push_back(to_json(facts));
    } else {
      if (!text.empty()) text += '\n';
      text += to_text(facts, context.color());
    }
  }
  if (context.json()) return context.print_json(json);
  context.print(text);
}

}  // namespace cli
