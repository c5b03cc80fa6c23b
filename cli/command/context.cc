#include "cli/command/context.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "cli/client/admin.h"
#include "cli/text/quantity.h"

namespace cli {
namespace {

constexpr const char* kDefaultBrokers = "127.0.0.1:9092";
constexpr const char* kCommonGroup = "Common options";

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

}  // namespace

Context::Context()
    : brokers_(environment("MOLDAU_BROKERS", kDefaultBrokers)),
      controllers_(environment("MOLDAU_CONTROLLERS", "")),
      stdout_is_terminal_(isatty(STDOUT_FILENO) != 0),
      stderr_is_terminal_(isatty(STDERR_FILENO) != 0) {
  bool wanted = environment("NO_COLOR", "").empty() && environment("TERM", "") != "dumb";
  color_ = wanted && stdout_is_terminal_;
  error_color_ = wanted && stderr_is_terminal_;
}

Context::~Context() = default;

void Context::add_connection_options(CLI::App& command) {
  command
      .add_option("-b,--brokers", brokers_,
                  fmt::format("Brokers to start from, comma-separated (MOLDAU_BROKERS, else {})",
                              kDefaultBrokers))
      ->type_name("HOST:PORT,...")
      ->group(kCommonGroup);
  command.add_option("--timeout", timeout_, "How long to try before giving up (default 30s)")
      ->type_name("TIME")
      ->group(kCommonGroup);
}

void Context::add_json_option(CLI::App& command) {
  command.add_flag("--json", json_, "Print JSON, for programs")->group(kCommonGroup);
}

Cluster& Context::cluster() {
  if (cluster_) return *cluster_;
  auto addresses = parse_addresses(brokers_);
  if (!addresses) {
    throw usage_failure(fmt::format("--brokers {}: {}", brokers_, addresses.error()),
                        "write it as host:port,host:port");
  }
  auto timeout = parse_duration(timeout_);
  if (!timeout || timeout->count() == 0 || *timeout > std::chrono::hours(24)) {
    throw usage_failure(fmt::format("--timeout {}: not a time up to a day", timeout_),
                        "write it as 500ms, 10s or 5m");
  }
  cluster_ = std::make_unique<Cluster>(
      Cluster::Options{.bootstrap = std::move(*addresses), .timeout = *timeout});
  return *cluster_;
}

void Context::add_controllers_option(CLI::App& command) {
  command
      .add_option("--controllers", controllers_,
                  "Controllers to ask when no broker answers (MOLDAU_CONTROLLERS)")
      ->type_name("HOST:PORT,...")
      ->group(kCommonGroup);
}

Admin& Context::admin() {
  if (admin_) return *admin_;
  std::vector<Address> controllers;
  if (!controllers_.empty()) {
    auto addresses = parse_addresses(controllers_);
    if (!addresses) {
      throw usage_failure(fmt::format("--controllers {}: {}", controllers_, addresses.error()),
                          "write it as host:port,host:port");
    }
    controllers = std::move(*addresses);
  }
  admin_ = std::make_unique<Admin>(cluster(), std::move(controllers));
  return *admin_;
}

void Context::print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  throw Failure(fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
}

void Context::print_json(const Json& json) {
  print(json.dump(2, ' ', false, Json::error_handler_t::replace));
  print("\n");
}

void Context::flush() {
  if (std::fflush(stdout) == 0) return;
  throw Failure(fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
}

void Context::remark(std::string_view text) {
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", text);
}

base::WallMs Context::now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Context::confirm(bool yes, std::string_view question, std::string_view refusal) const {
  if (yes) return;
  if (!isatty(STDIN_FILENO) || !stderr_is_terminal_) {
    throw usage_failure(std::string(refusal), "nobody is here to ask: add --yes to do it");
  }
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") throw Failure("nothing was done");
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string joined(const std::vector<std::int32_t>& numbers, std::string_view separator) {
  return fmt::format("{}", fmt::join(numbers, separator));
}

std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", human_count(count), noun, count == 1 ? "" : "s");
}

}  // namespace cli
