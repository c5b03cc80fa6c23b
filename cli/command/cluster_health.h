// moldau cluster health: what is wrong and what to do, from whoever still answers.
#pragma once

#include "cli/command/admin_options.h"
#include "cli/command/context.h"

namespace cli {

struct HealthOptions {
  WatchOptions watch;
};

// The exit code says whether all is well.
void show_health(const HealthOptions& options, Context& context);

}  // namespace cli
