// Where received bytes live. A reactor has one ReceivePool; a connection has one ReceiveBuffer,
// which owns memory only while bytes of an incomplete frame wait in it. Reactor's thread.
//
// Between fill and keep the bytes are in one of: the pool's shared chunk (the usual case: all that
// came is consumed within the turn), or memory of the connection's own. What is left over is kept
//   - in an exact small allocation, when the rest of the frame is short: copied back next time;
//   - in a whole chunk, when the frame is long but fits into one: the rest is received into place;
//   - in a buffer that doubles with what has really arrived, when the frame is longer than a chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "common/base/bytes.h"

namespace host {

struct FreeDelete {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using RawMemory = std::unique_ptr<std::byte, FreeDelete>;  // never zeroed: untouched pages are free

class ReceivePool {
 public:
  // Room for a frame of 1 MiB with its headers. Only touched pages cost memory.
  static constexpr std::size_t kChunkBytes = (1 << 20) + (128 << 10);
  // Up to here a leftover is copied out rather than keeping a chunk.
  static constexpr std::size_t kSmallBytes = 64 << 10;
  static constexpr std::size_t kSpareChunks = 4;

  explicit ReceivePool(std::uint64_t held_bytes_max) : held_bytes_max_(held_bytes_max) {}

  // Bytes that connections keep.
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  friend class ReceiveBuffer;
  std::byte* shared();
  RawMemory take_shared();  // the shared chunk itself changes owner
  void give_back(RawMemory chunk);
  bool hold(std::size_t bytes);  // false: over the limit
  void release(std::size_t bytes) { held_bytes_ -= bytes; }

  const std::uint64_t held_bytes_max_;
  std::uint64_t held_bytes_ = 0;
  RawMemory shared_;
  std::vector<RawMemory> spare_;
};

class ReceiveBuffer {
 public:
  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;

  std::size_t size() const { return size_; }

  // Makes the bytes contiguous with room behind them. Until keep() no other buffer of the pool may
  // be opened.
  void open(ReceivePool& pool);
  // Where more may be received: as much as the current memory has, but for a long frame no more
  // than it still wants.
  base::MutableBytes room() const;
  void received(std::size_t bytes) { size_ += bytes; }
  base::MutableBytes bytes() const { return {data_, size_}; }

  enum class Kept { kYes, kOverLimit };
  // Drops `consumed` bytes from the front and stows the rest, given that `wanted` bytes (0:
  // unknown) are needed for progress. When over the limit, nothing is kept.
  Kept keep(ReceivePool& pool, std::size_t consumed, std::size_t wanted);
  void drop(ReceivePool& pool);

 private:
  enum class Kind : std::uint8_t { kNothing, kShared, kSmall, kChunk, kLong };
  Kept stow(ReceivePool& pool, const std::byte* from, std::size_t left);
  Kept stow_allocated(ReceivePool& pool, const std::byte* from, std::size_t left, Kind kind,
                      std::size_t capacity);
  void free_own(ReceivePool& pool);

  RawMemory own_;
  std::byte* data_ = nullptr;  // own_ or the pool's shared chunk
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t wanted_ = 0;
  Kind kind_ = Kind::kNothing;
};

}  // namespace host
