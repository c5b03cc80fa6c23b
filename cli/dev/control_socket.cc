#include "cli/dev/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace cli {
namespace {

constexpr std::size_t kLineBytesMax = 1024;
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

// A socket's path has at most 107 bytes, a directory's may have more: it goes by its descriptor.
sockaddr_un address_in(const Descriptor& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}/dev.sock", directory.get());
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

void set_patience(int socket) {
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

std::optional<std::string> read_line(int socket) {
  std::string line;
  char c = 0;
  while (line.size() < kLineBytesMax) {
    if (recv(socket, &c, 1, 0) != 1) return std::nullopt;
    if (c == '\n') return line;
    line += c;
  }
  return std::nullopt;
}

bool send_line(int socket, std::string line) {
  line += '\n';
  return send(socket, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size());
}

}  // namespace

std::expected<ControlSocket, std::string> ControlSocket::listen(const std::string& directory) {
  const std::string path = directory + "/dev.sock";
  unlink(path.c_str());
  const Descriptor folder(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_in(folder);
  if (folder.get() < 0 || socket.get() < 0 ||
      bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 8) != 0) {
    return std::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return ControlSocket(socket.release());
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

ControlSocket::~ControlSocket() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ControlSocket::serve(
    const std::function<std::string(const std::string& request)>& handle) const {
  const Descriptor client(accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
  if (client.get() < 0) return;
  set_patience(client.get());
  if (auto request = read_line(client.get())) send_line(client.get(), handle(*request));
}

std::expected<std::string, std::string> ask_foreground(const std::string& directory,
                                                       const std::string& request) {
  const Descriptor folder(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_in(folder);
  if (folder.get() < 0 || socket.get() < 0 ||
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(fmt::format("no `moldau dev` runs a cluster in {}", directory));
  }
  set_patience(socket.get());
  if (!send_line(socket.get(), request)) {
    return std::unexpected(fmt::format("the `moldau dev` in {} has gone", directory));
  }
  auto answer = read_line(socket.get());
  if (answer) return std::move(*answer);
  return std::unexpected(fmt::format("the `moldau dev` in {} does not answer", directory));
}

}  // namespace cli
