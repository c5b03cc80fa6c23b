#include "cli/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/command/context.h"
#include "cli/command/version.h"
#include "cli/failure.h"

namespace cli {
namespace {

void add_commands(CLI::App& root, Context& context) {
  add_topic_commands(root, context);
  add_produce_command(root, context);
  add_consume_command(root, context);
  add_group_commands(root, context);
  add_config_commands(root, context);
  add_cluster_commands(root, context);
  add_log_commands(root, context);
  add_completion_command(root, context);
  add_version_command(root, context);
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

int tell_misuse(const CLI::App& root, const Context& context, const CLI::ParseError& error) {
  std::string path = command_path(root);
  std::string what = error.what();
  if (what == "A subcommand is required") what = fmt::format("{}: which command?", path);
  tell_error(context, what, fmt::format("see `{} --help`", path));
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
  root.get_formatter()->column_width(38);
  add_commands(root, context);
  try {
    root.parse(argc, argv);
    context.flush();
    return static_cast<int>(Exit::kOk);
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
