// moldau dev: the node itself runs in cli/dev.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/command/context.h"
#include "cli/dev/dev_node.h"

namespace cli {
namespace {

static_assert(kExitBadConfig == static_cast<int>(Exit::kBadConfig));
static_assert(kExitDirectoryInUse == static_cast<int>(Exit::kDataLocked));
static_assert(kExitDamagedData == static_cast<int>(Exit::kCorrupt));

// Where data goes when nobody says where: the user's own, and the same from every directory.
std::string default_data_dir() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) {
    return fmt::format("{}/moldau/dev", data);
  }
  const char* home = std::getenv("HOME");
  return home && *home ? fmt::format("{}/.local/share/moldau/dev", home) : "moldau-data";
}

bool data_dir_is_configured(const DevOptions& options) {
  return !options.config_file.empty() || std::getenv("MOLDAU_MOLDAU__DATA__DIR") ||
         std::ranges::any_of(options.sets, [](const std::string& set) {
           return set.starts_with("moldau.data.dir=");
         });
}

}  // namespace

void add_dev_command(CLI::App& root, Context& context) {
  auto options = std::make_shared<DevOptions>();
  CLI::App* command =
      root.add_subcommand("dev", "Run a node (broker and controller) on this machine");
  command
      ->add_option("--data-dir", options->data_dir,
                   fmt::format("Where the data is (default {})", default_data_dir()))
      ->type_name("DIR");
  command->add_option("--port", options->port, "Port for clients (default 9092; 0 picks one)")
      ->type_name("PORT");
  command
      ->add_option("--http-port", options->http_port,
                   "Port for health and metrics (default 9644; 0 picks one)")
      ->type_name("PORT");
  command->add_option("--config", options->config_file, "YAML file with the configuration")
      ->type_name("FILE");
  command->add_option("--set", options->sets, "A configuration value; may be given again")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--log-level", options->log_level, "What is worth a line (default info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  command
      ->add_option("--log-format", options->log_format,
                   "How lines look (default: text on a terminal, else json)")
      ->check(CLI::IsMember({"text", "json"}));
  command->footer(
      "What is given here wins over the environment (MOLDAU_...), that over the file.\n"
      "Example: moldau dev --data-dir /tmp/try --set num.partitions=6");
  command->callback([options, &context] {
    if (options->data_dir.empty() && !data_dir_is_configured(*options)) {
      options->data_dir = default_data_dir();
    }
    context.end_with(run_dev(*options));
  });
}

}  // namespace cli
