// moldau cluster info.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/command/topic_describe.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"
#include "common/wire/msg/describe_cluster_request.h"
#include "common/wire/msg/describe_cluster_response.h"

namespace cli {
namespace {

struct InfoOptions {};

struct BrokerFacts {
  std::int32_t id = 0;
  std::string host;
  std::int32_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
  std::int64_t leaders = 0;
  std::int64_t replicas = 0;
  std::optional<std::int64_t> bytes;
};

struct ClusterFacts {
  std::string id;
  std::int32_t controller = -1;
  std::map<std::int32_t, BrokerFacts> brokers;
  std::int64_t topics = 0;
  std::int64_t partitions = 0;
  std::int64_t under_replicated = 0;
  std::int64_t offline = 0;
  std::map<std::string, std::int16_t> features;
};

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

ClusterFacts gather(Cluster& cluster) {
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

Json to_json(const ClusterFacts& facts) {
  Json brokers = Json::array();
  for (const auto& [id, broker] : facts.brokers) {
    brokers.push_back({{"id", id},
                       {"host", broker.host},
                       {"port", broker.port},
                       {"rack", broker.rack ? Json(*broker.rack) : Json(nullptr)},
                       {"fenced", broker.fenced},
                       {"leaders", broker.leaders},
                       {"replicas", broker.replicas},
                       {"size_bytes", broker.bytes ? Json(*broker.bytes) : Json(nullptr)}});
  }
  return {{"cluster_id", facts.id},
          {"controller", facts.controller < 0 ? Json(nullptr) : Json(facts.controller)},
          {"topics", facts.topics},
          {"partitions", facts.partitions},
          {"under_replicated_partitions", facts.under_replicated},
          {"offline_partitions", facts.offline},
          {"features", facts.features},
          {"brokers", std::move(brokers)}};
}

std::string to_text(const ClusterFacts& facts, bool color) {
  Facts head;
  head.add("Cluster", facts.id);
  head.add("Controller", facts.controller < 0 ? "none" : std::to_string(facts.controller));
  head.add("Topics", fmt::format("{} with {}", human_count(facts.topics),
                                 counted(facts.partitions, "partition")));
  head.add("Under-replicated", human_count(facts.under_replicated));
  head.add("Offline", human_count(facts.offline));
  Table table({{"BROKER", true},
               {"ADDRESS"},
               {"RACK"},
               {"STATE"},
               {"LEADERS", true},
               {"REPLICAS", true},
               {"SIZE", true}});
  for (const auto& [id, broker] : facts.brokers) {
    table.add({std::to_string(id), fmt::format("{}:{}", broker.host, broker.port),
               broker.rack.value_or("-"), broker.fenced ? "fenced" : "up",
               human_count(broker.leaders), human_count(broker.replicas),
               broker.bytes ? human_bytes(*broker.bytes) : "-"});
  }
  return head.draw(color) + "\n" + table.draw(color);
}

void show_info(const InfoOptions&, Context& context) {
  ClusterFacts facts = gather(context.cluster());
  if (context.json()) return context.print_json(to_json(facts));
  context.print(to_text(facts, context.color()));
}

}  // namespace

void add_cluster_commands(CLI::App& root, Context& context) {
  CLI::App* cluster = root.add_subcommand("cluster", "Show the brokers and the cluster's health");
  cluster->require_subcommand(1);
  add_leaf(*cluster, context, "info", "Show the brokers, the partitions and their health",
           std::make_shared<InfoOptions>(), show_info);
}

}  // namespace cli
