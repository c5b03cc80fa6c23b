#include "cli/dev/dev_config.h"

#include <fstream>
#include <iterator>

#include "common/config/yaml_config.h"

extern char** environ;

namespace cli {

std::expected<config::GivenValues, std::string> load_dev_values(const DevOptions& options) {
  config::LoadInput input;
  if (!options.config_file.empty()) {
    std::ifstream file(options.config_file);
    if (!file) return std::unexpected("cannot read " + options.config_file);
    input.file_name = options.config_file;
    input.file_text.assign(std::istreambuf_iterator<char>(file), {});
  }
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text(*each);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    input.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  input.sets = options.sets;
  return config::load(input);
}

std::expected<config::BrokerConfig, std::string> load_dev_config(const DevOptions& options) {
  auto given = load_dev_values(options);
  if (!given) return std::unexpected(given.error());
  const auto unless_given = [&](const std::string& key, const std::string& value) {
    given->try_emplace(key, config::GivenValue{value, "moldau dev"});
  };
  if (!options.data_dir.empty()) (*given)["moldau.data.dir"] = {options.data_dir, "--data-dir"};
  if (options.port) {
    (*given)["listeners"] = {"PLAINTEXT://127.0.0.1:" + std::to_string(*options.port), "--port"};
  }
  if (options.http_port) {
    (*given)["moldau.http.listen"] = {"127.0.0.1:" + std::to_string(*options.http_port),
                                      "--http-port"};
  }
  unless_given("node.id", "1");
  unless_given("listeners", "PLAINTEXT://127.0.0.1:" + std::to_string(kDefaultPort));
  unless_given("moldau.http.listen", "127.0.0.1:" + std::to_string(kDefaultHttpPort));
  // One person waits for one consumer here: nobody else is about to join.
  unless_given("group.initial.rebalance.delay.ms", "0");
  auto made = config::BrokerConfig::from(std::move(*given));
  if (!made) return std::unexpected(made.error().message);
  if (made->listeners.size() != 1) return std::unexpected("listeners: one listener is served");
  return std::move(*made);
}

}  // namespace cli
