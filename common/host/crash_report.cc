#include "common/host/crash_report.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/check.h"

namespace host {
namespace {

constexpr int kFramesMax = 64;
// The walk up the stack may wait for a lock that the crashed thread holds: then SIGALRM ends us.
constexpr unsigned kReportSeconds = 5;

const char* program_name = "";

// Only what POSIX allows in a handler: no allocation, no locks, no stdio.
void say(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void say_address(const void* address) {
  std::array<char, 2 * sizeof(std::uintptr_t)> digits{};
  auto left = reinterpret_cast<std::uintptr_t>(address);
  std::size_t first = digits.size();
  do {
    digits[--first] = "0123456789abcdef"[left & 15];
    left >>= 4;
  } while (left != 0);
  say("0x");
  say({digits.data() + first, digits.size() - first});
}

std::string_view name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "SIGABRT";
  }
}

void on_crash(int signal, siginfo_t* info, void*) {
  ::signal(SIGALRM, SIG_DFL);
  alarm(kReportSeconds);
  say(program_name);
  say(" died of ");
  say(name_of(signal));
  if (signal != SIGABRT) {
    say(" at address ");
    say_address(info->si_addr);
  }
  say("; its stack, for addr2line -Cfpie with what stands in brackets behind the +:\n");
  std::array<void*, kFramesMax> frames{};
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), kFramesMax), STDERR_FILENO);
  raise(signal);  // the handler is gone by now: the default ends the process once we return
}

}  // namespace

void report_crashes(const char* program) {
  program_name = program;
  // The first call loads a library, which a handler must not.
  std::array<void*, 1> frame{};
  backtrace(frame.data(), 1);
  struct sigaction action{};
  action.sa_sigaction = on_crash;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_RESETHAND);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    CHECK(sigaction(signal, &action, nullptr) == 0);
  }
}

}  // namespace host
