#include "common/host/listener.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "common/host/reactor_core.h"
#include "common/host/socket_address.h"

namespace host {
namespace {
constexpr int kAcceptsPerTurn = 64;
constexpr auto kRest = std::chrono::milliseconds(100);
}  // namespace

Listener::Listener(ReactorCore& reactor, Descriptor socket, Reactor::Distribute distribute)
    : reactor_(reactor), socket_(std::move(socket)), distribute_(std::move(distribute)) {
  wake_.on_fire([this] { reactor_.change(socket_.get(), EPOLLIN, *this); });
  reactor_.add(socket_.get(), EPOLLIN, *this);
}

void Listener::on_events(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn && socket_.is_open(); ++i) {
    const int accepted = accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      set_stream_options(accepted);
      distribute_(accepted);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      rest(errno);
      return;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    }  // anything else concerns one caller that has already gone
  }
}

void Listener::rest(int code) {
  reactor_.stats.accept_pauses.add();
  reactor_.log(base::Diag::Level::kError, "cannot accept connections for now",
               {{"reason", std::generic_category().message(code)},
                {"open", std::to_string(reactor_.connection_count.load())}});
  reactor_.change(socket_.get(), 0, *this);
  reactor_.timers.set(wake_, reactor_.now + kRest);
}

void Listener::close() {
  wake_.cancel();
  socket_.reset();
}

}  // namespace host
