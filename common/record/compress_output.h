// Output of a decompressor that grows by what really comes out, up to a hard limit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <expected>
#include <utility>

#include "common/base/bytes.h"
#include "common/record/compress.h"

namespace record {

class CappedOutput {
 public:
  // `input_size` only sets the first guess.
  CappedOutput(std::size_t limit, std::size_t input_size)
      : limit_(std::min(limit, kLimitMax)), guess_(std::min(input_size, kGuessMax) * 4 + 1024) {}

  // Where to write next; empty once more than the limit has come out. One byte more than the limit
  // is offered, since a decoder may need room to find that its stream has ended.
  base::MutableBytes room() {
    if (size_ > limit_) return {};
    if (size_ == bytes_.size())
      bytes_.resize(std::min(limit_ + 1, std::max(guess_, bytes_.size() * 2)));
    return base::MutableBytes(bytes_).subspan(size_);
  }
  void wrote(std::size_t count) { size_ += count; }

  // The output; or kTooLarge when the byte too many was written.
  std::expected<base::Bytes, DecompressError> finish() {
    if (size_ > limit_) return std::unexpected(DecompressError::kTooLarge);
    bytes_.resize(size_);
    return std::move(bytes_);
  }

 private:
  static constexpr std::size_t kLimitMax = 0x7fffffff;
  static constexpr std::size_t kGuessMax = 1 << 20;
  std::size_t limit_;
  std::size_t guess_;
  std::size_t size_ = 0;
  base::Bytes bytes_;
};

}  // namespace record
