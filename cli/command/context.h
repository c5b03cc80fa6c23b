// What every command has: where the brokers are, how to print, and for how long to try.
#pragma once

#include <CLI/App.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "cli/client/cluster.h"
#include "cli/failure.h"
#include "common/base/time.h"

namespace cli {

class Admin;

using Json = nlohmann::ordered_json;

class Context {
 public:
  // Reads MOLDAU_BROKERS, MOLDAU_CONTROLLERS, NO_COLOR and whether stdout and stderr are terminals.
  Context();
  ~Context();

  // --brokers and --timeout; --json; both in the group that help shows last.
  void add_connection_options(CLI::App& command);
  void add_json_option(CLI::App& command);

  // As if --timeout was given.
  void set_timeout(std::string timeout) { timeout_ = std::move(timeout); }

  // --controllers.
  void add_controllers_option(CLI::App& command);

  // Connects on the first request made of it. Throws Failure when --brokers is malformed.
  Cluster& cluster();
  // The same for service Admin of the active controller.
  Admin& admin();

  bool json() const { return json_; }
  // Whether tables may use colors.
  bool color() const { return color_; }
  bool error_color() const { return error_color_; }
  bool stdout_is_terminal() const { return stdout_is_terminal_; }
  bool stderr_is_terminal() const { return stderr_is_terminal_; }

  // To stdout; buffered. Throws Failure when it cannot be written.
  void print(std::string_view text);
  void print_json(const Json& json);
  void flush();
  // One line to stderr: what people should know but programs need not read.
  void remark(std::string_view text);

  // What the program's exit code shall be when no Failure comes.
  void end_with(int exit_code) { exit_code_ = exit_code; }
  int exit_code() const { return exit_code_; }

  // The time of day.
  static base::WallMs now();
  // Asks on the terminal; only `--yes` will do where there is none. Throws Failure when declined.
  void confirm(bool yes, std::string_view question, std::string_view refusal) const;

 private:
  std::string brokers_;
  std::string controllers_;
  std::string timeout_ = "30s";
  bool json_ = false;
  bool color_ = false;
  bool error_color_ = false;
  bool stdout_is_terminal_ = false;
  bool stderr_is_terminal_ = false;
  int exit_code_ = 0;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Admin> admin_;
};

// The commands, each with its subcommands and callbacks. `context` outlives the tree.
void add_dev_command(CLI::App& root, Context& context);
void add_topic_commands(CLI::App& root, Context& context);
void add_produce_command(CLI::App& root, Context& context);
void add_consume_command(CLI::App& root, Context& context);
void add_config_commands(CLI::App& root, Context& context);
void add_cluster_commands(CLI::App& root, Context& context);
void add_broker_commands(CLI::App& root, Context& context);
void add_partition_commands(CLI::App& root, Context& context);
void add_balance_commands(CLI::App& root, Context& context);
void add_quorum_commands(CLI::App& root, Context& context);
void add_group_commands(CLI::App& root, Context& context);
void add_txn_commands(CLI::App& root, Context& context);
void add_log_commands(CLI::App& root, Context& context);
void add_version_command(CLI::App& root, Context& context);
void add_completion_command(CLI::App& root, Context& context);

// Names of all topics but the cluster's own, and of all groups. Throw Failure.
std::vector<std::string> topic_names(Context& context);
std::vector<std::string> group_names(Context& context);

// "a, b, c".
std::string joined(const std::vector<std::string>& parts, std::string_view separator = ", ");
std::string joined(const std::vector<std::int32_t>& numbers, std::string_view separator = ",");
// "1 topic", "2 topics".
std::string counted(std::int64_t count, std::string_view noun);

}  // namespace cli
