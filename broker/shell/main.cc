// moldau-broker: takes its configuration together and runs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "broker/shell/broker_process.h"
#include "common/host/console_diag.h"
#include "common/host/crash_report.h"
#include "common/host/load_config.h"
#include "common/host/signals.h"

namespace {

int refuse(const std::string& why) {
  std::fprintf(stderr, "moldau-broker: %s\n", why.c_str());
  return broker::shell::kExitBadConfig;
}

int run(const std::string& file, const std::vector<std::string>& sets, const std::string& level,
        const std::string& format) {
  auto given = host::load_config(file, sets);
  if (!given) return refuse(given.error());
  const auto config = config::BrokerConfig::from(std::move(*given));
  if (!config) return refuse(config.error().message);
  if (!config->node_id) return refuse("node.id: a broker of a cluster needs one");
  if (config->controller_quorum_voters.empty()) {
    return refuse("controller.quorum.voters: name the controllers, as id@host:port");
  }
  host::report_crashes("moldau-broker");
  host::block_signals();
  host::SystemClock clock;
  host::ConsoleDiag::Options options;
  options.level = *host::ConsoleDiag::parse_level(level);
  if (format == "text") options.format = host::ConsoleDiag::Format::kText;
  if (format == "json") options.format = host::ConsoleDiag::Format::kJson;
  host::ConsoleDiag diag(clock, options);
  return broker::shell::run_broker(*config, diag, clock);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A broker of a Moldau cluster", "moldau-broker");
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
