#include "common/host/http_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "common/host/socket_address.h"

namespace host {
namespace {
// A reply that grows beyond this leaves in pieces.
constexpr std::size_t kReplyBytesCollected = 256 << 10;
}  // namespace

HttpStream::HttpStream(Descriptor socket, int stop, Limits limits)
    : socket_(std::move(socket)), stop_(stop), limits_(limits) {}

// Unread input would make close() a reset, which may overtake the last reply.
HttpStream::~HttpStream() {
  shutdown(socket_.get(), SHUT_WR);
  for (int i = 0; i < 64 && recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT) > 0;
       ++i) {
  }
}

// False when everything shall end.
bool HttpStream::wait(short events, Clock::time_point deadline, bool& ready) const {
  for (;;) {
    std::array<pollfd, 2> polled = {{{socket_.get(), events, 0}, {stop_, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int count = poll(polled.data(), polled.size(), static_cast<int>(std::max(0L, left)));
    if (count < 0 && errno == EINTR) continue;
    ready = count > 0 && polled[0].revents != 0;
    return polled[1].revents == 0;
  }
}

HttpStream::Next HttpStream::wait_for_request(std::chrono::milliseconds timeout) {
  if (start_ < end_) return Next::kRequest;
  bool ready = false;
  if (!wait(POLLIN, Clock::now() + timeout, ready)) return Next::kEnd;
  if (!ready) return Next::kTimeout;
  char byte;
  return recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 ? Next::kRequest : Next::kEnd;
}

void HttpStream::begin_request() {
  deadline_ = Clock::now() + limits_.request_timeout;
  request_bytes_ = 0;
  newlines_ = 0;
  in_head_ = true;
  head_too_large_ = false;
}

bool HttpStream::fill() {
  if (!reply_.empty() && !send_reply()) return false;  // "100 Continue"
  for (;;) {
    const ssize_t count = recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) {
      start_ = 0;
      end_ = static_cast<std::size_t>(count);
      return true;
    }
    if (count == 0) return false;
    if (errno == EINTR) continue;
    bool ready = false;
    if (errno != EAGAIN || !wait(POLLIN, deadline_, ready) || !ready) return false;
  }
}

void HttpStream::count_head(char byte) {
  if (byte == '\n') {
    in_head_ = ++newlines_ < 2;
  } else if (byte != '\r') {
    newlines_ = 0;
  }
}

ssize_t HttpStream::read(char* to, size_t size) {
  if (broken_) return -1;
  if (start_ == end_ && !fill()) {
    broken_ = true;
    return -1;
  }
  const std::size_t count = std::min(size, end_ - start_);
  request_bytes_ += count;
  for (std::size_t i = start_; in_head_ && i < start_ + count; ++i) count_head(buffer_[i]);
  head_too_large_ = in_head_ && request_bytes_ > limits_.header_bytes_max;
  broken_ = head_too_large_ || request_bytes_ > limits_.request_bytes_max;
  if (broken_) return -1;
  std::memcpy(to, buffer_.data() + start_, count);
  start_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpStream::write(const char* from, size_t size) {
  reply_.append(from, size);
  if (reply_.size() > kReplyBytesCollected && !send_reply()) return -1;
  return static_cast<ssize_t>(size);
}

bool HttpStream::send_reply() {
  const auto deadline = Clock::now() + limits_.request_timeout;
  std::string_view left = reply_;
  while (!left.empty()) {
    const ssize_t count =
        send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    bool ready = false;
    if (errno != EAGAIN || !wait(POLLOUT, deadline, ready) || !ready) return false;
  }
  reply_.clear();
  return true;
}

void HttpStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  const auto peer = peer_address(socket_.get());
  ip = peer.host;
  port = peer.port;
}

void HttpStream::get_local_ip_and_port(std::string& ip, int& port) const {
  const auto local = local_address(socket_.get());
  ip = local.host;
  port = local.port;
}

}  // namespace host
