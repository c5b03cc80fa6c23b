// The `moldau` program as a function: reads the command line, runs the command, tells errors.
#pragma once

namespace cli {

// Returns the exit code (cli/failure.h).
int run(int argc, char** argv);

}  // namespace cli
