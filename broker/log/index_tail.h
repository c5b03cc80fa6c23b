// An index of a segment: entries that are in its file, followed by entries that are only in memory
// yet. New ones go to memory; upkeep writes them to the file in one piece, then they are forgotten
// here. So the index of an active segment costs no small writes, and that of a rolled one no
// memory. Pure: reading the file is index_search.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"

namespace broker {

template <class Entry>
class IndexTail {
 public:
  // How many entries the file holds; nothing until someone has looked (a segment that was found at
  // start and not used yet).
  std::optional<std::uint64_t> persisted() const { return persisted_; }
  void set_persisted(std::uint64_t count) { persisted_ = count; }

  const std::vector<Entry>& tail() const { return tail_; }
  void add(const Entry& entry) { tail_.push_back(entry); }
  // Persisted must be known.
  std::uint64_t count() const { return *persisted_ + tail_.size(); }
  // Back to what it was when count() said so; must not reach into the file.
  void drop_to(std::uint64_t count) { tail_.resize(static_cast<std::size_t>(count - *persisted_)); }
  // The first `count` entries are in the file now.
  void mark_persisted(std::uint64_t count) {
    if (count <= *persisted_) return;
    tail_.erase(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(count - *persisted_));
    if (tail_.empty()) tail_.shrink_to_fit();
    persisted_ = count;
  }
  // Only the first `count` entries remain, and the file is cut to as many.
  void truncate(std::uint64_t count) {
    if (count >= *persisted_) return drop_to(std::min(count, this->count()));
    tail_.clear();
    persisted_ = count;
  }
  base::Bytes encode_tail() const {
    base::Bytes bytes;
    bytes.reserve(tail_.size() * Entry::kSize);
    for (const Entry& entry : tail_) entry.encode(bytes);
    return bytes;
  }
  std::uint64_t file_position() const { return *persisted_ * Entry::kSize; }

 private:
  std::optional<std::uint64_t> persisted_;
  std::vector<Entry> tail_;
};

// .index: 8 bytes. The last offset of a batch, relative to the segment's base, and where the batch
// begins.
struct OffsetEntry {
  static constexpr std::size_t kSize = 8;
  std::int32_t relative = 0;
  std::int32_t position = 0;

  std::int64_t key() const { return relative; }
  void encode(base::Bytes& to) const;
  static OffsetEntry decode(const std::byte* from);
  friend bool operator==(const OffsetEntry&, const OffsetEntry&) = default;
};

// .timeindex: 12 bytes. The largest timestamp so far, and the last offset of the first batch that
// has it, relative to the segment's base.
struct TimeEntry {
  static constexpr std::size_t kSize = 12;
  std::int64_t timestamp = -1;
  std::int32_t relative = 0;

  std::int64_t key() const { return timestamp; }
  void encode(base::Bytes& to) const;
  static TimeEntry decode(const std::byte* from);
  friend bool operator==(const TimeEntry&, const TimeEntry&) = default;
};

}  // namespace broker
