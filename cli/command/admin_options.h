// What the commands over service Admin share: --controllers, --watch.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>

#include "cli/command/context.h"

namespace cli {

void add_admin_options(CLI::App& command, Context& context);

struct WatchOptions {
  bool watch = false;
};
void add_watch_option(CLI::App& command, WatchOptions& options);

// What there is to see, for people or (--json) for programs.
struct View {
  std::string text;
  Json json;
};

// Shows what `look` sees: once, or with --watch again and again until Ctrl-C, in place on a
// terminal. While watching, a look that fails is shown too.
void show(Context& context, const WatchOptions& options, const std::function<View()>& look);

}  // namespace cli
