// moldau log dump.
#include <fmt/format.h>

#include "cli/command/context.h"
#include "cli/dump/log_dump.h"

namespace cli {
namespace {

struct LogOptions {
  std::vector<std::string> paths;
  bool records = false;
  bool summary = false;
};

void dump(const LogOptions& options, Context& context) {
  DumpOptions wanted{
      .json = context.json(), .records = options.records, .summary = options.summary};
  std::int64_t problems = 0;
  for (const std::string& path : options.paths) {
    problems += dump_path(path, wanted, [&](std::string_view line) { context.print(line); });
  }
  if (problems == 0) return;
  throw Failure(
      fmt::format("{} found", counted(problems, "problem")),
      "a broker mends the end of its last segment when it starts; anything else is damage",
      Exit::kCorrupt);
}

}  // namespace

void add_log_commands(CLI::App& root, Context& context) {
  CLI::App* log = root.add_subcommand("log", "Look into the files of partitions");
  log->require_subcommand(1);
  auto options = std::make_shared<LogOptions>();
  CLI::App* command =
      log->add_subcommand("dump", "Show segments, indexes, epochs and snapshots, without a broker");
  context.add_json_option(*command);
  command->add_option("PATH", options->paths, "Files, or directories of partitions")->required();
  command->add_flag("-r,--records", options->records, "Also every record");
  command->add_flag("-s,--summary", options->summary, "Only one line for each file");
  command->footer(
      "Examples:\n"
      "  moldau log dump data/orders-0 --summary\n"
      "  moldau log dump data/orders-0/00000000000000000000.log --records");
  command->callback([options, &context] { dump(*options, context); });
}

}  // namespace cli
