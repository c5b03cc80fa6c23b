// `moldau dev --brokers N --controllers M`: a cluster of real processes on this machine, one each,
// run by one process in the foreground. It starts them, greets when all are ready, tells who died,
// starts again who `moldau dev restart` asks for, and ends them in order; should it be killed, they
// are killed with it.
#pragma once

#include <string>

#include "cli/dev/dev_node.h"
#include "cli/dev/dev_plan.h"

namespace cli {

// Runs until SIGINT or SIGTERM; the exit code (dev_node.h). Call before any thread exists.
int run_dev_cluster(const DevOptions& options, const DevShape& shape);

}  // namespace cli
