// moldau cluster info|health.
#include <fmt/format.h>

#include "cli/command/cluster_facts.h"
#include "cli/command/cluster_health.h"
#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"

namespace cli {
namespace {

struct InfoOptions {};

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
               broker.rack.value_or("-"), broker.state(), human_count(broker.leaders),
               human_count(broker.replicas), broker.bytes ? human_bytes(*broker.bytes) : "-"});
  }
  return head.draw(color) + "\n" + table.draw(color);
}

void show_info(const InfoOptions&, Context& context) {
  ClusterFacts facts = gather_facts(context.cluster());
  if (context.json()) return context.print_json(to_json(facts));
  context.print(to_text(facts, context.color()));
}

}  // namespace

void add_cluster_commands(CLI::App& root, Context& context) {
  CLI::App* cluster = root.add_subcommand("cluster", "Show the brokers and the cluster's health");
  cluster->require_subcommand(1);
  add_leaf(*cluster, context, "info", "Show the brokers, the partitions and their health",
           std::make_shared<InfoOptions>(), show_info);

  auto health = std::make_shared<HealthOptions>();
  CLI::App* command = add_leaf(
      *cluster, context, "health",
      "Say what is wrong and what to do; exit code 0 when nothing is, else 1", health, show_health);
  add_admin_options(*command, context);
  add_watch_option(*command, health->watch);
}

}  // namespace cli
