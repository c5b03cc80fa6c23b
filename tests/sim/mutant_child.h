// For the programs that try seeded defects (common/base/mutant.h), each in a child process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace sim {

// Of a child that ended (waitpid): true when it gave a code other than 0, or fell over a CHECK: it
// has found the defect. One that died in another way (memory that is not its own, an alarm) proves
// nothing; that is said.
inline bool says_found(const char* mutant, int status) {
  if (!WIFSIGNALED(status)) return status != 0;
  const int signal = WTERMSIG(status);
  std::printf("%s: the child died of signal %d\n", mutant, signal);
  return signal == SIGABRT;
}

// Waits for it.
inline bool child_finds(const char* mutant, pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && says_found(mutant, status);
}

}  // namespace sim
