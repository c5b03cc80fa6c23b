// One HTTP connection as cpp-httplib's Stream, with the limits that the library lacks: bytes of the
// head, bytes of the request, time for the request, and a stop that ends every wait. What is
// written is collected and leaves as one send. One thread.
#pragma once

#include <httplib.h>

#include <array>
#include <chrono>
#include <string>

#include "common/host/descriptor.h"

namespace host {

class HttpStream final : public httplib::Stream {
 public:
  struct Limits {
    std::size_t header_bytes_max;
    std::size_t request_bytes_max;  // head and body
    std::chrono::milliseconds request_timeout;
  };
  // `stop` becomes readable when everything shall end. Not owned.
  HttpStream(Descriptor socket, int stop, Limits limits);
  ~HttpStream() override;

  enum class Next { kRequest, kTimeout, kEnd };
  // Waits for the first byte of a request.
  Next wait_for_request(std::chrono::milliseconds timeout);
  void begin_request();  // starts the counts and the clock
  bool head_too_large() const { return head_too_large_; }
  // The request did not come whole: nothing more on this connection can be understood.
  bool broken() const { return broken_; }
  void forget_reply() { reply_.clear(); }
  bool send_reply();

  // httplib::Stream
  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  using httplib::Stream::write;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_.get(); }

 private:
  using Clock = std::chrono::steady_clock;
  bool fill();
  bool wait(short events, Clock::time_point deadline, bool& ready) const;
  void count_head(char byte);

  const Descriptor socket_;
  const int stop_;
  const Limits limits_;
  std::array<char, 4096> buffer_;
  std::size_t start_ = 0;
  std::size_t end_ = 0;
  std::string reply_;
  Clock::time_point deadline_;
  std::size_t request_bytes_ = 0;
  int newlines_ = 0;  // line ends in a row: two end the head
  bool in_head_ = true;
  bool head_too_large_ = false;
  bool broken_ = false;
};

}  // namespace host
