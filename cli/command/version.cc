// moldau version.
#include "cli/command/version.h"

#include <fmt/format.h>

#include "cli/command/context.h"

#ifndef MOLDAU_VERSION
#error "cli/CMakeLists.txt defines MOLDAU_VERSION"
#endif

namespace cli {

std::string version() { return MOLDAU_VERSION; }

void add_version_command(CLI::App& root, Context& context) {
  CLI::App* command = root.add_subcommand("version", "Show the version of this program");
  context.add_json_option(*command);
  command->callback([&context] {
    if (context.json()) {
      return context.print_json({{"version", version()}, {"compiler", __VERSION__}});
    }
    context.print(fmt::format("moldau {}\n", version()));
  });
}

}  // namespace cli
