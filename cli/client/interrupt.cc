#include "cli/client/interrupt.h"

#include <poll.h>

#include <csignal>

namespace cli {
namespace {

volatile std::sig_atomic_t interrupt_flag = 0;

void on_signal(int number) {
  interrupt_flag = 1;
  std::signal(number, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART: a blocked poll or read returns at once.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_flag != 0; }

void pause_for(std::chrono::milliseconds wait) { poll(nullptr, 0, static_cast<int>(wait.count())); }

}  // namespace cli
