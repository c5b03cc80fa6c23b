#include "cli/command/cluster_facts.h"

#include "cli/command/topic_describe.h"
#include "common/wire/msg/describe_cluster_request.h"
#include "common/wire/msg/describe_cluster_response.h"

namespace cli {
namespace {

void count_partitions(const wire::MetadataResponse& metadata, ClusterFacts& facts) {
  for (const auto& topic : metadata.topics) {
    ++facts.topics;
    for (const auto& partition : topic.partitions) {
      ++facts.partitions;
      if (partition.isr_nodes.size() < partition.replica_nodes.size()) ++facts.under_replicated;
      if (partition.leader_id < 0) ++facts.offline;
      auto leader = facts.brokers.find(partition.leader_id);
      if (leader != facts.brokers.end()) ++leader->second.leaders;
      for (std::int32_t replica : partition.replica_nodes) {
        auto holder = facts.brokers.find(replica);
        if (holder != facts.brokers.end()) ++holder->second.replicas;
      }
    }
  }
}

// Brokers that are fenced do not stand in the metadata; DescribeCluster knows them.
void add_fenced(Cluster& cluster, ClusterFacts& facts) {
  Deadline until = cluster.deadline();
  auto connection = cluster.connect(Target::any(), until);
  if (!connection ||
      !(*connection)->common_version(wire::DescribeClusterRequest::kApiKey, {.min = 0, .max = 2})) {
    return;
  }
  auto& capabilities = (*connection)->capabilities();
  for (const auto& feature : capabilities.finalized_features) {
    facts.features[feature.name] = feature.max_version_level;
  }
  wire::DescribeClusterRequest request;
  request.include_fenced_brokers = true;
  auto reply = Cluster::exchange<wire::DescribeClusterResponse>(**connection, request, until);
  if (!reply || reply->body.error_code != wire::ErrorCode::kNone) return;
  for (const auto& broker : reply->body.brokers) {
    BrokerFacts& entry = facts.brokers[broker.broker_id];
    entry = {.id = broker.broker_id,
             .host = broker.host,
             .port = broker.port,
             .rack = broker.rack,
             .fenced = broker.is_fenced};
  }
}

}  // namespace

std::string BrokerFacts::state() const {
  if (fenced) return draining ? "fenced, draining" : "fenced";
  return draining ? "draining" : "up";
}

ClusterFacts gather_facts(Cluster& cluster) {
  auto metadata = cluster.metadata(std::nullopt);
  ClusterFacts facts;
  facts.id = metadata.cluster_id.value_or("");
  facts.controller = metadata.controller_id;
  for (const auto& broker : metadata.brokers) {
    facts.brokers[broker.node_id] = {
        .id = broker.node_id, .host = broker.host, .port = broker.port, .rack = broker.rack};
  }
  add_fenced(cluster, facts);
  count_partitions(metadata, facts);
  for (auto& [id, broker] : facts.brokers) {
    if (broker.fenced) continue;
    std::int64_t bytes = 0;
    auto sizes = replica_sizes(cluster, id);
    for (const auto& [where, size] : sizes) bytes += size;
    if (!sizes.empty() || broker.replicas == 0) broker.bytes = bytes;
  }
  return facts;
}

}  // namespace cli
