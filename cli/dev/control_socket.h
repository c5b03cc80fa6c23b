// How `moldau dev restart|stop` reaches the `moldau dev` in the foreground: a Unix socket in the
// data directory, one line each way: "restart broker 2" or "stop", then "ok" or what is wrong.
#pragma once

#include <expected>
#include <functional>
#include <string>

namespace cli {

class ControlSocket {
 public:
  // Binds DIRECTORY/dev.sock, in place of what an earlier process left there. The caller holds the
  // directory's lock.
  static std::expected<ControlSocket, std::string> listen(const std::string& directory);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  // For poll(): readable when somebody asks.
  int descriptor() const { return descriptor_; }
  // Takes one request and answers it with what `handle` makes of it. Waits shortly for the line.
  void serve(const std::function<std::string(const std::string& request)>& handle) const;

 private:
  explicit ControlSocket(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// Sends one request; the answer, or that nobody is there.
std::expected<std::string, std::string> ask_foreground(const std::string& directory,
                                                       const std::string& request);

}  // namespace cli
