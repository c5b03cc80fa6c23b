// Child processes that end with their parent, and processes recognised later by more than a number.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace cli {

// One process for ever: numbers come again, a number with its start does not.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t started = 0;  // clock ticks since the machine's start, /proc/PID/stat
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// Starts `arguments` (the first one is the program's path) in a process group of its own, with
// nothing to read, its output appended to `log`, and no MOLDAU_* in its environment. It is killed
// when the calling thread ends, however that ends. Call from a process with one thread.
std::expected<ProcessId, std::string> spawn(const std::vector<std::string>& arguments,
                                            const std::string& log);

// Whether the process is there (a zombie is not) and runs a program of that file name.
bool runs(const ProcessId& process, const std::string& program);
// Whether SIGSTOP holds it.
bool is_paused(const ProcessId& process);

// Directory of the program that runs this; empty when the system does not tell.
std::string own_directory();

}  // namespace cli
