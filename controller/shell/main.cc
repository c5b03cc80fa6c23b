// moldau-controller: takes its configuration together and runs.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "common/host/console_diag.h"
#include "common/host/crash_report.h"
#include "common/host/load_config.h"
#include "common/host/signals.h"
#include "controller/shell/controller_process.h"

namespace {

int refuse(const std::string& why) {
  std::fprintf(stderr, "moldau-controller: %s\n", why.c_str());
  return controller::shell::kExitBadConfig;
}

int run(const std::string& file, const std::vector<std::string>& sets, const std::string& level,
        const std::string& format) {
  auto given = host::load_config(file, sets);
  if (!given) return refuse(given.error());
  const auto config = config::BrokerConfig::from(std::move(*given));
  if (!config) return refuse(config.error().message);
  if (!config->node_id) return refuse("node.id: a controller of a cluster needs one");
  if (*config->node_id < 1) return refuse("node.id: a controller's is at least 1");
  if (config->controller_quorum_voters.empty()) {
    return refuse("controller.quorum.voters: name the controllers, as id@host:port");
  }
  if (config->log_dirs.size() != 1) {
    return refuse("log.dirs: a controller has one directory for its data");
  }
  host::report_crashes("moldau-controller");
  host::block_signals();
  host::SystemClock clock;
  host::ConsoleDiag::Options options;
  options.level = *host::ConsoleDiag::parse_level(level);
  if (format == "text") options.format = host::ConsoleDiag::Format::kText;
  if (format == "json") options.format = host::ConsoleDiag::Format::kJson;
  host::ConsoleDiag diag(clock, options);
  return controller::shell::run_controller(*config, diag, clock);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A controller of a Moldau cluster", "moldau-controller");
  std::string file;
  std::vector<std::string> sets;
  std::string level = "info";
  std::string format;
  app.add_option("--config", file, "YAML file with the configuration")->type_name("FILE");
  app.add_option("--set", sets, "A configuration value; may be given again")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--log-level", level, "What is worth a line (default info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--log-format", format, "How lines look (default: text on a terminal, else json)")
      ->check(CLI::IsMember({"text", "json"}));
  CLI11_PARSE(app, argc, argv);
  return run(file, sets, level, format);
}
