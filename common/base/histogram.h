// Numbers that one thread writes and any thread may read, without locks or locked instructions.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

namespace base {

// Only grows. One writer.
class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// How often which size was seen: eight buckets per power of two, so that a quantile is at most
// 12.5 % above the truth. Values are usually nanoseconds; those past kMax count in the last bucket.
struct HistogramSnapshot;
class Histogram {
 public:
  static constexpr unsigned kSubBits = 3;
  static constexpr unsigned kTopBit = 36;  // 2^36 ns is 68 s
  static constexpr std::size_t kBuckets = ((kTopBit - kSubBits + 1) << kSubBits);
  static constexpr std::uint64_t kMax = (1ULL << kTopBit) - 1;

  void record(std::uint64_t value) {
    bump(buckets_[index_of(value)], 1);
    bump(sum_, value);
  }
  HistogramSnapshot snapshot() const;

  static constexpr std::size_t index_of(std::uint64_t value) {
    if (value > kMax) value = kMax;
    if (value < (1U << kSubBits)) return static_cast<std::size_t>(value);
    const unsigned top = static_cast<unsigned>(std::bit_width(value)) - 1;
    const unsigned shift = top - kSubBits;
    return (static_cast<std::size_t>(shift + 1) << kSubBits) +
           static_cast<std::size_t>((value >> shift) & ((1U << kSubBits) - 1));
  }
  // The largest value that counts in a bucket.
  static constexpr std::uint64_t last_of(std::size_t index) {
    if (index < (1U << kSubBits)) return index;
    const unsigned shift = static_cast<unsigned>(index >> kSubBits) - 1;
    const std::uint64_t first = ((1ULL << kSubBits) + (index & ((1U << kSubBits) - 1))) << shift;
    return first + (1ULL << shift) - 1;
  }

 private:
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

// A copy that can be added to others and asked. Taken while the writer runs it may miss the very
// last values, never more.
struct HistogramSnapshot {
  std::array<std::uint64_t, Histogram::kBuckets> buckets{};
  std::uint64_t count = 0;
  std::uint64_t sum = 0;

  HistogramSnapshot& operator+=(const HistogramSnapshot& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    count += other.count;
    sum += other.sum;
    return *this;
  }
  // An upper bound of the value below which `fraction` of all values lie; 0 when there are none.
  std::uint64_t quantile(double fraction) const {
    if (count == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      seen += buckets[i];
      if (seen > wanted || seen == count) return Histogram::last_of(i);
    }
    return Histogram::kMax;
  }
};

inline HistogramSnapshot Histogram::snapshot() const {
  HistogramSnapshot copy;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    copy.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    copy.count += copy.buckets[i];
  }
  copy.sum = sum_.load(std::memory_order_relaxed);
  return copy;
}

}  // namespace base
