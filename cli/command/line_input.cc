#include "cli/command/line_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/client/cluster.h"
#include "cli/client/interrupt.h"
#include "cli/failure.h"

namespace cli {
namespace {

constexpr std::size_t kLineMax = 64 << 20;
constexpr std::size_t kReadSize = 64 << 10;

}  // namespace

bool LineInput::take_line(std::string& line) {
  std::size_t newline = buffer_.find('\n', scanned_);
  if (newline == std::string::npos) {
    scanned_ = buffer_.size();
    if (!end_ || start_ == buffer_.size()) return false;
    newline = buffer_.size();
  }
  line.assign(buffer_, start_, newline - start_);
  start_ = scanned_ = std::min(newline + 1, buffer_.size());
  ++number_;
  return true;
}

LineInput::State LineInput::next(std::string& line, std::optional<std::chrono::milliseconds> wait) {
  while (true) {
    if (take_line(line)) return State::kLine;
    if (end_) return State::kEnd;
    if (interrupted()) throw Interrupted{};
    pollfd entry{.fd = descriptor_, .events = POLLIN, .revents = 0};
    int ready = poll(&entry, 1, wait ? static_cast<int>(wait->count()) : -1);
    if (ready == 0) return State::kNothingYet;
    if (ready < 0) {
      if (errno == EINTR) continue;
      throw Failure(fmt::format("cannot read the standard input: {}", std::strerror(errno)));
    }
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
    if (buffer_.size() > kLineMax) {
      throw Failure(fmt::format("line {} of the input is over {} bytes", number_ + 1, kLineMax));
    }
    std::size_t before = buffer_.size();
    buffer_.resize(before + kReadSize);
    ssize_t count = read(descriptor_, buffer_.data() + before, kReadSize);
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) end_ = true;
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      throw Failure(fmt::format("cannot read the standard input: {}", std::strerror(errno)));
    }
  }
}

}  // namespace cli
