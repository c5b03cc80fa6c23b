// How many bytes of a log directory a crash of the process would make recovery read over again:
// what was appended since the indexes and producer snapshots were last written for all of its logs.
// An upper bound; a log that writes its own meanwhile is not taken off. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

namespace broker {

class RecoveryDebt {
 public:
  // Reading this much takes a fraction of a second.
  static constexpr std::uint64_t kLimit = 256 << 20;

  explicit RecoveryDebt(std::uint64_t limit = kLimit) : limit_(limit) {}

  // Called when the limit is reached, by whoever appends and with its locks held: post to an
  // executor. Once until pay(). An empty function takes it away.
  void on_limit(std::function<void()> listener);
  void add(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  // Everything so far is about to be paid.
  void pay() { bytes_.store(0, std::memory_order_relaxed); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> bytes_{0};
  std::mutex mutex_;
  std::function<void()> listener_;
};

}  // namespace broker
