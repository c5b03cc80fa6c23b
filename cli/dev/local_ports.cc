#include "cli/dev/local_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "cli/client/deadline.h"

namespace cli {
namespace {

constexpr std::uint16_t kFirst = 20'000;
constexpr std::uint16_t kEnd = 32'000;  // Linux gives away 32768 and up
constexpr int kAttempts = 1000;
constexpr std::size_t kAnswerBytesMax = 64 << 10;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Socket {
 public:
  explicit Socket(int flags)
      : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return descriptor_; }
  bool wait(short events, const Deadline& until) const {
    pollfd wanted{.fd = descriptor_, .events = events, .revents = 0};
    return poll(&wanted, 1, static_cast<int>(until.left().count())) > 0;
  }

 private:
  int descriptor_;
};

// The whole answer, or nothing.
std::string get(std::uint16_t port, std::string_view request, const Deadline& until) {
  const Socket socket(SOCK_NONBLOCK);
  const sockaddr_in address = loopback(port);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  if (connect(socket.get(), raw, sizeof address) != 0 && errno != EINPROGRESS) return "";
  if (!socket.wait(POLLOUT, until)) return "";
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return "";
  }
  std::string answer;
  char part[4096];
  while (answer.size() < kAnswerBytesMax && socket.wait(POLLIN, until)) {
    const ssize_t size = recv(socket.get(), part, sizeof part, 0);
    if (size == 0) return answer;
    if (size < 0) return "";
    answer.append(part, static_cast<std::size_t>(size));
  }
  return "";
}

}  // namespace

bool is_free(std::uint16_t port) {
  const Socket socket(0);
  const int yes = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::uint16_t PortPicker::pick(std::uint16_t preferred) {
  if (preferred != 0 && !taken_.contains(preferred) && is_free(preferred)) {
    taken_.insert(preferred);
    return preferred;
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto port = static_cast<std::uint16_t>(kFirst + random_.below(kEnd - kFirst));
    if (!taken_.contains(port) && is_free(port)) {
      taken_.insert(port);
      return port;
    }
  }
  return 0;
}

Readiness ask_readiness(std::uint16_t http_port, std::chrono::milliseconds patience) {
  const std::string answer =
      get(http_port, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
          Deadline::in(patience));
  if (answer.starts_with("HTTP/1.1 200")) return {.ready = true};
  const auto head_end = answer.find("\r\n\r\n");
  if (head_end == std::string::npos) return {};
  // "partitions: 3 of 10 open", a line for each check that fails.
  const auto body = head_end + 4;
  return {.ready = false, .why_not = answer.substr(body, answer.find('\n', body) - body)};
}

}  // namespace cli
