#include "cli/command/admin_options.h"

#include <fmt/format.h>

#include "cli/client/interrupt.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kEvery{1000};
constexpr std::string_view kClear = "\x1b[H\x1b[2J\x1b[3J";

View look_or_tell(const std::function<View()>& look) {
  try {
    return look();
  } catch (const Failure& failure) {
    return {.text = fmt::format("error: {}\n", failure.message()),
            .json = {{"error", failure.message()}}};
  }
}

}  // namespace

void add_admin_options(CLI::App& command, Context& context) {
  context.add_controllers_option(command);
}

void add_watch_option(CLI::App& command, WatchOptions& options) {
  command.add_flag("-w,--watch", options.watch, "Look again every second, until Ctrl-C");
}

void show(Context& context, const WatchOptions& options, const std::function<View()>& look) {
  if (!options.watch) {
    const View view = look();
    if (context.json()) return context.print_json(view.json);
    return context.print(view.text);
  }
  catch_interrupts();
  while (!interrupted()) {
    const View view = look_or_tell(look);
    if (context.json()) {
      context.print(view.json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    } else if (context.stdout_is_terminal()) {
      context.print(fmt::format("{}{}", kClear, view.text));
    } else {
      context.print(view.text + "\n");
    }
    context.flush();
    pause_for(kEvery);
  }
}

}  // namespace cli
