// Ctrl-C and SIGTERM as a question instead of a death: commands that run until stopped ask for it,
// and every wait on the network ends when it comes.
#pragma once

#include <chrono>

namespace cli {

// From now on the first SIGINT or SIGTERM only sets the flag; a second one ends the process.
void catch_interrupts();
bool interrupted();

// Sleeps, or less when a signal comes.
void pause_for(std::chrono::milliseconds wait);

}  // namespace cli
