// moldau dev: the node or the cluster itself runs in cli/dev.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/command/context.h"
#include "cli/command/dev_control.h"
#include "cli/dev/dev_cluster.h"
#include "cli/dev/dev_node.h"
#include "cli/dev/dev_texts.h"

namespace cli {
namespace {

static_assert(kExitBadConfig == static_cast<int>(Exit::kBadConfig));
static_assert(kExitDirectoryInUse == static_cast<int>(Exit::kDataLocked));
static_assert(kExitDamagedData == static_cast<int>(Exit::kCorrupt));

struct DevChoice {
  DevOptions node;
  DevShape shape;
  bool is_cluster() const { return shape.brokers || shape.controllers; }
};

bool data_dir_is_configured(const DevOptions& options) {
  return !options.config_file.empty() || std::getenv("MOLDAU_MOLDAU__DATA__DIR") ||
         std::ranges::any_of(options.sets, [](const std::string& set) {
           return set.starts_with("moldau.data.dir=");
         });
}

int run(DevChoice& choice) {
  DevOptions& options = choice.node;
  if (choice.is_cluster()) {
    if (options.data_dir.empty()) options.data_dir = texts::default_cluster_dir();
    options.data_dir = std::filesystem::absolute(options.data_dir).lexically_normal();
    choice.shape.port = options.port;
    choice.shape.http_port = options.http_port;
    return run_dev_cluster(options, choice.shape);
  }
  if (options.data_dir.empty() && !data_dir_is_configured(options)) {
    options.data_dir = texts::default_data_dir();
  }
  if (!options.data_dir.empty() && std::filesystem::exists(options.data_dir + "/dev.json")) {
    throw Failure(fmt::format("{} holds the data of a cluster", options.data_dir),
                  "start it with --brokers and --controllers, or give a single node another "
                  "--data-dir",
                  Exit::kBadConfig);
  }
  return run_dev(options);
}

void add_place_options(CLI::App& command, DevChoice& choice) {
  command
      .add_option("--brokers", choice.shape.brokers,
                  "Run a cluster of that many brokers, a process each")
      ->type_name("N");
  command
      .add_option("--controllers", choice.shape.controllers,
                  "Run a cluster of that many controllers: 1, 3 or 5")
      ->type_name("N");
  command
      .add_option("--data-dir", choice.node.data_dir,
                  fmt::format("Where the data is (default {}, of a cluster {})",
                              texts::default_data_dir(), texts::default_cluster_dir()))
      ->type_name("DIR");
  command
      .add_option("--port", choice.node.port,
                  "Port for clients, of broker 1 (default 9092; 0 picks one)")
      ->type_name("PORT");
  command
      .add_option("--http-port", choice.node.http_port,
                  "Port for health and metrics, of broker 1 (default 9644; 0 picks one)")
      ->type_name("PORT");
}

void add_config_options(CLI::App& command, DevOptions& options) {
  command.add_option("--config", options.config_file, "YAML file with the configuration")
      ->type_name("FILE");
  command.add_option("--set", options.sets, "A configuration value; may be given again")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--log-level", options.log_level, "What is worth a line (default info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  command
      .add_option("--log-format", options.log_format,
                  "How lines look (default: text on a terminal and for a cluster, else json)")
      ->check(CLI::IsMember({"text", "json"}));
}

}  // namespace

void add_dev_command(CLI::App& root, Context& context) {
  auto choice = std::make_shared<DevChoice>();
  CLI::App* command = root.add_subcommand("dev", "Run a node or a cluster on this machine");
  add_place_options(*command, *choice);
  add_config_options(*command, choice->node);
  command->footer(
      "One node is a broker and a controller in one process. With --brokers or --controllers it "
      "is\n"
      "a cluster of real processes, which end with this one.\n"
      "What is given here wins over the environment (MOLDAU_...), that over the file.\n"
      "Examples: moldau dev --data-dir /tmp/try --set num.partitions=6\n"
      "          moldau dev --brokers 3 --controllers 3");
  add_dev_control_commands(*command, context);
  command->callback([choice, command, &context] {
    if (command->get_subcommands().empty()) context.end_with(run(*choice));
  });
}

}  // namespace cli
