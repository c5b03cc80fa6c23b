// What a connection still has to send: bytes and file slices in order. Reactor's thread.
#pragma once

#include <cstdint>
#include <expected>
#include <variant>
#include <vector>

#include "common/io/net.h"

namespace host {

class SendQueue {
 public:
  void push(base::Bytes bytes);
  void push(io::FileSlice slice);
  void clear();

  bool empty() const { return first_ == pieces_.size(); }
  std::uint64_t queued_bytes() const { return queued_bytes_; }

  enum class Outcome {
    kEmpty,    // everything is with the kernel
    kBlocked,  // the socket takes no more for now
    kBudget,   // `budget` bytes have gone; there is more
  };
  // Sends up to about `budget` bytes: runs of bytes as one gathered send, slices by sendfile. Adds
  // what went to `sent`. An error ends the connection.
  io::IoResult<Outcome> write_to(int socket, std::uint64_t budget, std::uint64_t& sent);

 private:
  struct Piece {
    std::variant<base::Bytes, io::FileSlice> what;
    std::uint64_t done = 0;
    std::uint64_t left() const;
  };
  // Each returns the bytes that went, 0 when blocked.
  io::IoResult<std::uint64_t> write_bytes(int socket, std::uint64_t budget);
  io::IoResult<std::uint64_t> write_slice(int socket, std::uint64_t budget);
  io::IoResult<std::uint64_t> copy_slice(int socket, const io::FileSlice& slice, std::uint64_t done,
                                         std::uint64_t length);
  void advance(std::uint64_t bytes);
  bool slice_is_next(std::size_t index) const;
  bool more_than_a_head_and_a_slice() const;

  std::vector<Piece> pieces_;
  std::size_t first_ = 0;
  std::uint64_t queued_bytes_ = 0;
};

}  // namespace host
