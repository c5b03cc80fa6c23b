// What a process says when it dies of its own fault: the signal, the address and the stack, on
// stderr, where the logs of a pod end too. Then it dies as it would have without us, with a core
// file where those are on.
#pragma once

namespace host {

// Call in main(), before any thread exists. `program` is how the lines begin; it must outlive the
// process' threads. SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT (CHECK, std::terminate). A stack
// that overflows dies without a word.
void report_crashes(const char* program);

}  // namespace host
