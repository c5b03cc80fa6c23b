#include "common/host/connector.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "common/host/reactor_core.h"

namespace host {
namespace {
constexpr auto kConnectTime = std::chrono::seconds(10);
}

void Connector::start(ReactorCore& reactor, const io::Address& address, const SocketAddress& where,
                      io::Net::Connected done) {
  Descriptor socket(
      ::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) {
    done(std::unexpected(socket_error("socket", address, errno)));
    return;
  }
  if (::connect(socket.get(), where.get(), where.length) != 0 && errno != EINPROGRESS) {
    done(std::unexpected(socket_error("connect", address, errno)));
    return;
  }
  reactor.own(std::make_unique<Connector>(reactor, address, std::move(socket), std::move(done)));
}

Connector::Connector(ReactorCore& reactor, io::Address address, Descriptor socket,
                     io::Net::Connected done)
    : reactor_(reactor),
      address_(std::move(address)),
      socket_(std::move(socket)),
      done_(std::move(done)),
      limit_([this] { finish(ETIMEDOUT); }) {
  reactor_.add(socket_.get(), EPOLLOUT, *this);
  reactor_.timers.set(limit_, reactor_.now + kConnectTime);
}

void Connector::on_events(std::uint32_t) {
  int code = 0;
  socklen_t length = sizeof code;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &length);
  finish(code);
}

void Connector::finish(int code) {
  limit_.cancel();
  reactor_.remove(socket_.get());
  reactor_.retire(*this);  // lives until the turn ends
  if (code != 0) {
    socket_.reset();
    done_(std::unexpected(socket_error("connect", address_, code)));
    return;
  }
  set_stream_options(socket_.get());
  reactor_.connection_count.fetch_add(1, std::memory_order_relaxed);
  const auto connection = reactor_.make_connection(std::move(socket_));
  connection->start(done_(connection));
}

}  // namespace host
