#include "common/host/socket_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <system_error>

namespace host {

io::IoError socket_error(const char* operation, const io::Address& address, int code) {
  return {code, std::string(operation) + " " + address.to_string() + ": " +
                    std::generic_category().message(code)};
}

io::IoResult<SocketAddress> resolve(const io::Address& address, Resolve how) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  if (how == Resolve::kNumbersOnly) hints.ai_flags |= AI_NUMERICHOST;
  // The wildcard is IPv4 only when nothing else is said, as in Kafka's examples.
  const char* const name = address.host.empty() ? "0.0.0.0" : address.host.c_str();
  addrinfo* list = nullptr;
  const int code = getaddrinfo(name, std::to_string(address.port).c_str(), &hints, &list);
  if (code != 0) {
    return io::io_failure(code == EAI_SYSTEM ? errno : EINVAL,
                          "resolve " + address.to_string() + ": " + gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  SocketAddress result;
  std::memcpy(&result.storage, list->ai_addr, list->ai_addrlen);
  result.length = list->ai_addrlen;
  return result;
}

io::Address to_address(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
      inet_ntop(AF_INET, six.sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    }
    return {text, ntohs(six.sin6_port)};
  }
  const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  return {text, ntohs(four.sin_port)};
}

io::Address local_address(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length);
  return to_address(storage);
}

io::Address peer_address(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &length);
  return to_address(storage);
}

io::IoResult<int> listening_socket(const io::Address& address, int backlog) {
  const auto where = resolve(address, Resolve::kNames);
  if (!where) return std::unexpected(where.error());
  const int socket =
      ::socket(where->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::unexpected(socket_error("socket", address, errno));
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const char* failed = nullptr;
  if (bind(socket, where->get(), where->length) != 0) {
    failed = "bind";
  } else if (::listen(socket, backlog) != 0) {
    failed = "listen";
  }
  if (failed != nullptr) {
    const int code = errno;
    close(socket);
    return std::unexpected(socket_error(failed, address, code));
  }
  return socket;
}

void set_stream_options(int socket) {
  const int flags = fcntl(socket, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) fcntl(socket, F_SETFL, flags | O_NONBLOCK);
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace host
