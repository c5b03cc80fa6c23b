// Which offsets of a range belong to a set, a bit each. Pure; one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"

namespace broker {

class OffsetSet {
 public:
  OffsetSet() = default;  // of no offsets
  OffsetSet(base::Offset start, base::Offset end)
      : start_(start), end_(std::max(start, end)), words_(words_of(start_, end_)) {}
  // What a set of the range takes.
  static std::uint64_t bytes_of(base::Offset start, base::Offset end) {
    return words_of(start, std::max(start, end)) * sizeof(std::uint64_t);
  }

  base::Offset start() const { return start_; }
  base::Offset end() const { return end_; }  // of the range, exclusive
  bool covers(base::Offset offset) const { return offset >= start_ && offset < end_; }
  // Both want an offset of the range.
  void add(base::Offset offset) { words_[index_of(offset) / 64] |= bit_of(offset); }
  bool contains(base::Offset offset) const {
    return (words_[index_of(offset) / 64] & bit_of(offset)) != 0;
  }

 private:
  static std::uint64_t words_of(base::Offset start, base::Offset end) {
    return (static_cast<std::uint64_t>(end - start) + 63) / 64;
  }
  std::uint64_t index_of(base::Offset offset) const {
    return static_cast<std::uint64_t>(offset - start_);
  }
  std::uint64_t bit_of(base::Offset offset) const {
    return std::uint64_t{1} << (index_of(offset) % 64);
  }

  base::Offset start_{0};
  base::Offset end_{0};
  std::vector<std::uint64_t> words_;
};

}  // namespace broker
