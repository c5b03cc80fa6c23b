#include "common/host/send_queue.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "common/base/check.h"

namespace host {
namespace {

constexpr std::size_t kPartsMax = 256;              // of one gathered send; IOV_MAX is 1024
constexpr std::uint64_t kCopyBytesMax = 128 << 10;  // of a slice without a descriptor

// Holds back partial segments while several sends make one answer.
class Cork {
 public:
  Cork(int socket, bool wanted) : socket_(wanted ? socket : -1) { set(1); }
  ~Cork() { set(0); }
  Cork(const Cork&) = delete;
  Cork& operator=(const Cork&) = delete;

 private:
  void set(int on) const {
    if (socket_ >= 0) setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  }
  const int socket_;
};

// The count, 0 when the call would block, or the error.
io::IoResult<std::uint64_t> outcome(ssize_t count, const char* call) {
  if (count >= 0) return static_cast<std::uint64_t>(count);
  if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
  const int code = errno;
  return io::io_failure(code, std::string(call) + ": " + std::generic_category().message(code));
}

}  // namespace

std::uint64_t SendQueue::Piece::left() const {
  const auto* bytes = std::get_if<base::Bytes>(&what);
  return (bytes != nullptr ? bytes->size() : std::get<io::FileSlice>(what).length) - done;
}

void SendQueue::push(base::Bytes bytes) {
  if (bytes.empty()) return;
  queued_bytes_ += bytes.size();
  pieces_.push_back({std::move(bytes)});
}

void SendQueue::push(io::FileSlice slice) {
  if (slice.length == 0) return;
  queued_bytes_ += slice.length;
  pieces_.push_back({std::move(slice)});
}

void SendQueue::clear() {
  std::vector<Piece>().swap(pieces_);  // an idle connection holds no memory here
  first_ = 0;
  queued_bytes_ = 0;
}

bool SendQueue::slice_is_next(std::size_t index) const {
  return index < pieces_.size() && std::holds_alternative<io::FileSlice>(pieces_[index].what);
}

bool SendQueue::more_than_a_head_and_a_slice() const {
  for (std::size_t i = first_; i + 1 < pieces_.size(); ++i) {
    if (slice_is_next(i)) return true;
  }
  return false;
}

io::IoResult<SendQueue::Outcome> SendQueue::write_to(int socket, std::uint64_t budget,
                                                     std::uint64_t& sent) {
  if (empty()) return Outcome::kEmpty;
  const Cork cork(socket, more_than_a_head_and_a_slice());
  while (!empty()) {
    if (budget == 0) return Outcome::kBudget;
    const auto wrote =
        slice_is_next(first_) ? write_slice(socket, budget) : write_bytes(socket, budget);
    if (!wrote) {
      if (wrote.error().code == EINTR) continue;
      return std::unexpected(wrote.error());
    }
    if (*wrote == 0) return Outcome::kBlocked;
    advance(*wrote);
    sent += *wrote;
    budget -= std::min(budget, *wrote);
  }
  clear();
  return Outcome::kEmpty;
}

io::IoResult<std::uint64_t> SendQueue::write_bytes(int socket, std::uint64_t budget) {
  std::array<iovec, kPartsMax> parts;
  std::size_t count = 0;
  std::uint64_t total = 0;
  std::size_t index = first_;
  for (; index < pieces_.size() && count < kPartsMax && total < budget; ++index) {
    auto* bytes = std::get_if<base::Bytes>(&pieces_[index].what);
    if (bytes == nullptr) break;
    const std::uint64_t left = std::min(pieces_[index].left(), budget - total);
    parts[count++] = {bytes->data() + pieces_[index].done, left};
    total += left;
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const int more = slice_is_next(index) ? MSG_MORE : 0;
  return outcome(sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT | more), "sendmsg");
}

io::IoResult<std::uint64_t> SendQueue::write_slice(int socket, std::uint64_t budget) {
  const Piece& piece = pieces_[first_];
  const auto& slice = std::get<io::FileSlice>(piece.what);
  const std::uint64_t length = std::min(piece.left(), budget);
  const int file = slice.file->native_handle();
  if (file < 0) return copy_slice(socket, slice, piece.done, length);
  auto position = static_cast<off_t>(slice.position + piece.done);
  const ssize_t count = sendfile(socket, file, &position, length);
  if (count == 0) return io::io_failure(EIO, "sendfile: the file ends before the slice");
  return outcome(count, "sendfile");
}

io::IoResult<std::uint64_t> SendQueue::copy_slice(int socket, const io::FileSlice& slice,
                                                  std::uint64_t done, std::uint64_t length) {
  base::Bytes copy(std::min(length, kCopyBytesMax));
  const auto read = slice.file->read_at(copy, slice.position + done);
  if (!read) return std::unexpected(read.error());
  if (*read == 0) return io::io_failure(EIO, "send: the file ends before the slice");
  return outcome(send(socket, copy.data(), *read, MSG_NOSIGNAL | MSG_DONTWAIT), "send");
}

void SendQueue::advance(std::uint64_t bytes) {
  CHECK(bytes <= queued_bytes_);
  queued_bytes_ -= bytes;
  while (bytes > 0) {
    Piece& piece = pieces_[first_];
    const std::uint64_t step = std::min(bytes, piece.left());
    piece.done += step;
    bytes -= step;
    if (piece.left() > 0) return;
    piece.what = base::Bytes();  // frees at once, whatever stays queued behind it
    ++first_;
  }
  if (first_ >= 64 && 2 * first_ >= pieces_.size()) {  // no endless prefix under a steady queue
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

}  // namespace host
