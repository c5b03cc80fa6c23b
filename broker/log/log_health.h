// Whether a log directory may still be written. The first failed write (except for a full disk) or
// sync puts it out of service for good: what the medium holds is then unknown, and only a restart,
// with its recovery, finds out. A full disk passes, and is told apart: full(). Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "common/io/error.h"

namespace broker {

class LogHealth {
 public:
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // The first failure; nothing while healthy.
  std::optional<io::IoError> reason() const;
  // Only the first call counts; it runs the listeners, on the caller's thread.
  void fail(const io::IoError& error);
  // To be told once. Register before the logs are in use. Must not block or take a lock that a
  // caller of Log or Flusher may hold: post to an executor.
  void on_failure(std::function<void(const io::IoError&)> listener);

  // A write found no space, and it is not known yet that there is some.
  bool full() const { return full_.load(std::memory_order_acquire); }
  void note_full();
  void note_space() { full_.store(false, std::memory_order_release); }
  // To be told each time that it becomes full; otherwise as on_failure().
  void on_full(std::function<void()> listener);

 private:
  std::atomic<bool> failed_{false};
  std::atomic<bool> full_{false};
  mutable std::mutex mutex_;
  std::optional<io::IoError> reason_;
  std::vector<std::function<void(const io::IoError&)>> listeners_;
  std::vector<std::function<void()>> full_listeners_;
};

}  // namespace broker
