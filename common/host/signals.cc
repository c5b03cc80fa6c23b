#include "common/host/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/check.h"

namespace host {
namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(Reactor& reactor, std::function<void(int)> on_signal) : reactor_(reactor) {
  const sigset_t set = handled();
  descriptor_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(descriptor_ >= 0);
  reactor_.watch(descriptor_, [descriptor = descriptor_, on_signal = std::move(on_signal)] {
    signalfd_siginfo info{};
    while (read(descriptor, &info, sizeof info) == sizeof info) {
      on_signal(static_cast<int>(info.ssi_signo));
    }
  });
}

Signals::~Signals() { close(descriptor_); }

}  // namespace host
