// A vector as an immutable value: copying shares everything, changing one element copies one chunk
// of at most 64 and the list of chunks. For the partitions of a topic, of which there may be tens
// of thousands while one changes at a time.
//
// A copy may be changed; the value that it was copied from must not be changed any more (it is
// behind a shared_ptr<const> by then). Unchanging values may be read from any thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace meta {

template <class Value>
class PersistentVector {
  static constexpr std::size_t kChunk = 64;
  // `edit` says which copy made the chunk: only that one may change it in place.
  struct Chunk {
    std::uint64_t edit = 0;
    std::vector<Value> values;
  };

 public:
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using pointer = const Value*;
    using reference = const Value&;

    Iterator() = default;
    Iterator(const PersistentVector* of, std::size_t at) : of_(of), at_(at) {}
    reference operator*() const { return (*of_)[at_]; }
    pointer operator->() const { return &(*of_)[at_]; }
    reference operator[](difference_type n) const { return *(*this + n); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(of_, at_++); }
    Iterator& operator--() {
      --at_;
      return *this;
    }
    Iterator operator--(int) { return Iterator(of_, at_--); }
    Iterator& operator+=(difference_type n) {
      at_ = static_cast<std::size_t>(static_cast<difference_type>(at_) + n);
      return *this;
    }
    Iterator& operator-=(difference_type n) { return *this += -n; }
    friend Iterator operator+(Iterator a, difference_type n) { return a += n; }
    friend Iterator operator+(difference_type n, Iterator a) { return a += n; }
    friend Iterator operator-(Iterator a, difference_type n) { return a -= n; }
    friend difference_type operator-(Iterator a, Iterator b) {
      return static_cast<difference_type>(a.at_) - static_cast<difference_type>(b.at_);
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }
    friend auto operator<=>(const Iterator& a, const Iterator& b) { return a.at_ <=> b.at_; }

   private:
    const PersistentVector* of_ = nullptr;
    std::size_t at_ = 0;
  };
  using const_iterator = Iterator;
  using value_type = Value;

  PersistentVector() = default;
  PersistentVector(std::initializer_list<Value> values) {
    for (const Value& each : values) push_back(each);
  }
  PersistentVector(const PersistentVector& from)
      : chunks_(from.chunks_), size_(from.size_), edit_(from.edit_ + 1) {}
  PersistentVector& operator=(const PersistentVector& from) {
    chunks_ = from.chunks_;
    size_ = from.size_;
    edit_ = from.edit_ + 1;
    return *this;
  }
  PersistentVector(PersistentVector&&) noexcept = default;
  PersistentVector& operator=(PersistentVector&&) noexcept = default;
  ~PersistentVector() = default;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Value& operator[](std::size_t at) const {
    return chunks_[at / kChunk]->values[at % kChunk];
  }
  const Value& front() const { return (*this)[0]; }
  const Value& back() const { return (*this)[size_ - 1]; }
  Iterator begin() const { return Iterator(this, 0); }
  Iterator end() const { return Iterator(this, size_); }

  void push_back(Value value) {
    if (size_ % kChunk == 0) chunks_.push_back(std::make_shared<Chunk>(Chunk{edit_, {}}));
    own(size_ / kChunk).values.push_back(std::move(value));
    ++size_;
  }
  // To change the element in place, until this vector is copied.
  Value& change(std::size_t at) {
    CHECK(at < size_);
    return own(at / kChunk).values[at % kChunk];
  }

  friend bool operator==(const PersistentVector& a, const PersistentVector& b) {
    if (a.size_ != b.size_) return false;
    for (std::size_t i = 0; i < a.chunks_.size(); ++i) {
      if (a.chunks_[i] != b.chunks_[i] && a.chunks_[i]->values != b.chunks_[i]->values) {
        return false;
      }
    }
    return true;
  }

 private:
  Chunk& own(std::size_t index) {
    auto& chunk = chunks_[index];
    if (chunk->edit != edit_) chunk = std::make_shared<Chunk>(Chunk{edit_, chunk->values});
    return *chunk;
  }

  std::vector<std::shared_ptr<Chunk>> chunks_;
  std::size_t size_ = 0;
  std::uint64_t edit_ = 1;
};

}  // namespace meta
