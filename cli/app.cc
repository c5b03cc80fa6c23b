#include "cli/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "cli/command/context.h"
#include "cli/command/help.h"
#include "cli/command/suggest.h"
#include "cli/command/version.h"
#include "cli/failure.h"

namespace cli {
namespace {

void add_commands(CLI::App& root, Context& context) {
  add_dev_command(root, context);
  add_topic_commands(root, context);
  add_produce_command(root, context);
  add_consume_command(root, context);
  add_group_commands(root, context);
  add_txn_commands(root, context);
  add_config_commands(root, context);
  add_cluster_commands(root, context);
  add_broker_commands(root, context);
  add_partition_commands(root, context);
  add_balance_commands(root, context);
  add_quorum_commands(root, context);
  add_log_commands(root, context);
  add_completion_command(root, context);
  add_version_command(root, context);
}

// The last command that the command line named.
const CLI::App& deepest(const CLI::App& root) {
  const CLI::App* at = &root;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().back();
  return *at;
}

// "moldau topic create": as far as the command line was understood.
std::string command_path(const CLI::App& root) {
  std::string path = root.get_name();
  const CLI::App* at = &root;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().back();
    path += " " + at->get_name();
  }
  return path;
}

void tell_error(const Context& context, std::string_view what, std::string_view hint) {
  std::fflush(stdout);
  std::string_view label = context.error_color() ? "\x1b[1;31merror:\x1b[0m" : "error:";
  fmt::print(stderr, "{} {}\n", label, what);
  if (!hint.empty()) fmt::print(stderr, "hint: {}\n", hint);
}

// What a word that fits nowhere may have been meant to be.
std::string unknown_word(const CLI::App& at, const std::string& word) {
  std::vector<std::string> known;
  bool is_option = word.starts_with('-');
  if (is_option) {
    for (const CLI::Option* option : at.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* sub :
         at.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); })) {
      known.push_back(sub->get_name());
    }
  }
  std::string what = fmt::format("unknown {} '{}'",
                                 is_option       ? "option"
                                 : known.empty() ? "argument"
                                                 : "command",
                                 word);
  if (auto near = nearest(word, known)) what += fmt::format("; did you mean '{}'?", *near);
  return what;
}

int tell_misuse(const CLI::App& root, const Context& context, const CLI::ParseError& error) {
  const CLI::App& at = deepest(root);
  std::vector<std::string> left = root.remaining(true);
  std::string what = error.what();
  bool which_command = what == "A subcommand is required";
  if (!left.empty() &&
      (which_command || error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError))) {
    auto option =
        std::ranges::find_if(left, [](const auto& word) { return word.starts_with('-'); });
    what = unknown_word(at, option == left.end() ? left.front() : *option);
  } else if (which_command) {
    what = "which command?";
  }
  std::string path = command_path(root);
  tell_error(context, fmt::format("{}: {}", path, what), fmt::format("see `{} --help`", path));
  return static_cast<int>(Exit::kUsage);
}

int tell_failure(Context& context, const Failure& failure) {
  tell_error(context, failure.message(), failure.hint());
  return static_cast<int>(failure.exit());
}

}  // namespace

int run(int argc, char** argv) {
  Context context;
  CLI::App root("Moldau: event streaming for every Kafka client.", "moldau");
  root.require_subcommand(1);
  root.set_version_flag("--version", "moldau " + version());
  root.formatter(help_formatter());
  context.add_connection_options(root);
  context.add_json_option(root);
  add_commands(root, context);
  try {
    root.parse(argc, argv);
    context.flush();
    return context.exit_code();
  } catch (const CLI::Success& wanted) {  // --help, --version
    return root.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return tell_misuse(root, context, error);
  } catch (const Failure& failure) {
    return tell_failure(context, failure);
  } catch (const Interrupted&) {
    std::fflush(stdout);
    return 130;  // as shells count a command ended by Ctrl-C
  } catch (const std::exception& error) {
    return tell_failure(
        context, Failure(fmt::format("unexpected: {}", error.what()), "this is a bug of moldau"));
  }
}

}  // namespace cli
