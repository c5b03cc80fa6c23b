// moldau dev stop|kill|pause|resume|restart|list: the processes of a running `moldau dev` cluster.
#pragma once

#include "cli/command/context.h"

namespace cli {

void add_dev_control_commands(CLI::App& dev, Context& context);

}  // namespace cli
