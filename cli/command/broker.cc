// moldau broker list | drain | resume | remove | may-restart.
#include <fmt/format.h>

#include "cli/client/admin.h"
#include "cli/command/admin_options.h"
#include "cli/command/broker_drain.h"
#include "cli/command/cluster_facts.h"
#include "cli/command/leaf.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kPatience{3000};

struct ListOptions {
  WatchOptions watch;
};

// What only the controller knows. Another Kafka does without.
void add_draining(Context& context, ClusterFacts& facts) {
  auto health = context.admin().try_call<proto::ClusterHealthReply>(
      "Admin/ClusterHealth", proto::ClusterHealthRequest(), "cluster", kPatience);
  if (!health) return;
  for (const auto& finding : health->findings()) {
    auto broker = facts.brokers.find(finding.broker_id());
    if (broker == facts.brokers.end()) continue;
    if (finding.kind() == proto::FINDING_KIND_BROKER_DRAINING) broker->second.draining = true;
    if (finding.kind() == proto::FINDING_KIND_BROKER_FENCED) broker->second.fenced = true;
  }
}

View look(Context& context) {
  ClusterFacts facts = gather_facts(context.cluster());
  add_draining(context, facts);
  Table table({{"BROKER", true},
               {"ADDRESS"},
               {"RACK"},
               {"STATE"},
               {"LEADERS", true},
               {"REPLICAS", true},
               {"SIZE", true}});
  View view{.text = {}, .json = Json::array()};
  for (const auto& [id, broker] : facts.brokers) {
    table.add({std::to_string(id), fmt::format("{}:{}", broker.host, broker.port),
               broker.rack.value_or("-"), broker.state(), human_count(broker.leaders),
               human_count(broker.replicas), broker.bytes ? human_bytes(*broker.bytes) : "-"});
    view.json.push_back({{"id", id},
                         {"host", broker.host},
                         {"port", broker.port},
                         {"rack", broker.rack ? Json(*broker.rack) : Json(nullptr)},
                         {"fenced", broker.fenced},
                         {"draining", broker.draining},
                         {"leaders", broker.leaders},
                         {"replicas", broker.replicas},
                         {"size_bytes", broker.bytes ? Json(*broker.bytes) : Json(nullptr)}});
  }
  view.text = table.draw(context.color());
  return view;
}

void list_brokers(const ListOptions& options, Context& context) {
  show(context, options.watch, [&context] { return look(context); });
}

template <class Options>
void add_id(CLI::App& command, Options& options) {
  command.add_option("BROKER", options.id, "Its id")->required()->check(CLI::NonNegativeNumber);
}

}  // namespace

void add_broker_commands(CLI::App& root, Context& context) {
  CLI::App* broker = root.add_subcommand("broker", "List brokers, take them out of service");
  broker->require_subcommand(1);

  auto list = std::make_shared<ListOptions>();
  CLI::App* command =
      add_leaf(*broker, context, "list", "List the brokers and what they hold", list, list_brokers);
  add_admin_options(*command, context);
  add_watch_option(*command, list->watch);

  auto drain = std::make_shared<DrainOptions>();
  command = add_leaf(*broker, context, "drain", "Move everything away from a broker, and wait",
                     drain, drain_broker);
  add_id(*command, *drain);
  command->add_flag("--no-wait", drain->no_wait, "Only begin; the same command watches it later");
  add_admin_options(*command, context);

  auto resume = std::make_shared<BrokerOptions>();
  command = add_leaf(*broker, context, "resume", "End a drain: the broker serves again", resume,
                     resume_broker);
  add_id(*command, *resume);
  add_admin_options(*command, context);

  auto remove = std::make_shared<BrokerOptions>();
  command = add_leaf(*broker, context, "remove", "Forget a broker that is drained and stopped",
                     remove, remove_broker);
  add_id(*command, *remove);
  command->add_flag("-y,--yes", remove->yes, "Do not ask");
  add_admin_options(*command, context);

  auto may = std::make_shared<BrokerOptions>();
  command = add_leaf(*broker, context, "may-restart",
                     "Say whether a broker may be away for a while without harm; exit code 0 or 1",
                     may, may_restart_broker);
  add_id(*command, *may);
  add_admin_options(*command, context);
}

}  // namespace cli
