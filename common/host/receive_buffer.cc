#include "common/host/receive_buffer.h"

#include <algorithm>
#include <new>

#include "common/base/check.h"

namespace host {
namespace {

RawMemory allocate(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::malloc(bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return RawMemory(memory);
}

}  // namespace

std::byte* ReceivePool::shared() {
  if (shared_ == nullptr) {
    if (spare_.empty()) {
      shared_ = allocate(kChunkBytes);
    } else {
      shared_ = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  return shared_.get();
}

RawMemory ReceivePool::take_shared() { return std::move(shared_); }

void ReceivePool::give_back(RawMemory chunk) {
  // A touched page is worth keeping: a fresh one costs microseconds.
  if (spare_.size() < kSpareChunks) spare_.push_back(std::move(chunk));
}

bool ReceivePool::hold(std::size_t bytes) {
  if (held_bytes_ + bytes > held_bytes_max_) return false;
  held_bytes_ += bytes;
  return true;
}

void ReceiveBuffer::open(ReceivePool& pool) {
  if (kind_ == Kind::kChunk || kind_ == Kind::kLong) return;
  CHECK(kind_ != Kind::kShared);
  std::byte* const shared = pool.shared();
  if (kind_ == Kind::kSmall) {
    std::memcpy(shared, own_.get(), size_);
    pool.release(capacity_);
    own_.reset();
  }
  kind_ = Kind::kShared;
  data_ = shared;
  capacity_ = ReceivePool::kChunkBytes;
}

base::MutableBytes ReceiveBuffer::room() const {
  std::size_t end = capacity_;
  // What follows a long frame is left in the socket: it would only have to be moved.
  if (wanted_ > ReceivePool::kSmallBytes && wanted_ > size_) end = std::min(end, wanted_);
  return {data_ + size_, end - size_};
}

ReceiveBuffer::Kept ReceiveBuffer::keep(ReceivePool& pool, std::size_t consumed,
                                        std::size_t wanted) {
  CHECK(consumed <= size_);
  wanted_ = wanted;
  const std::size_t left = size_ - consumed;
  if (left == 0) {
    drop(pool);
    return Kept::kYes;
  }
  const Kept kept = stow(pool, data_ + consumed, left);
  if (kept == Kept::kOverLimit) drop(pool);
  return kept;
}

ReceiveBuffer::Kept ReceiveBuffer::stow(ReceivePool& pool, const std::byte* from,
                                        std::size_t left) {
  const std::size_t need = std::max(wanted_, left + 1);
  if (left <= ReceivePool::kSmallBytes && wanted_ <= ReceivePool::kSmallBytes) {
    return stow_allocated(pool, from, left, Kind::kSmall, left);
  }
  if (need <= capacity_ || (kind_ == Kind::kLong && left < capacity_)) {  // the memory it is in
    if (kind_ == Kind::kShared) {
      if (!pool.hold(capacity_)) return Kept::kOverLimit;
      own_ = pool.take_shared();
      kind_ = Kind::kChunk;
    }
    if (from != data_) std::memmove(data_, from, left);
    size_ = left;
    return Kept::kYes;
  }
  // Longer than a chunk: no more than twice what has arrived, so that a frame that is only
  // announced costs little.
  const std::size_t capacity = std::min(need, std::max(2 * left, 2 * ReceivePool::kChunkBytes));
  return stow_allocated(pool, from, left, Kind::kLong, capacity);
}

ReceiveBuffer::Kept ReceiveBuffer::stow_allocated(ReceivePool& pool, const std::byte* from,
                                                  std::size_t left, Kind kind,
                                                  std::size_t capacity) {
  if (!pool.hold(capacity)) return Kept::kOverLimit;
  RawMemory memory = allocate(capacity);
  std::memcpy(memory.get(), from, left);
  free_own(pool);
  own_ = std::move(memory);
  data_ = own_.get();
  size_ = left;
  capacity_ = capacity;
  kind_ = kind;
  return Kept::kYes;
}

void ReceiveBuffer::drop(ReceivePool& pool) {
  free_own(pool);
  kind_ = Kind::kNothing;
  data_ = nullptr;
  size_ = capacity_ = 0;
}

void ReceiveBuffer::free_own(ReceivePool& pool) {
  if (own_ == nullptr) return;
  pool.release(capacity_);
  if (kind_ == Kind::kChunk) {
    pool.give_back(std::move(own_));
  } else {
    own_.reset();
  }
}

}  // namespace host
