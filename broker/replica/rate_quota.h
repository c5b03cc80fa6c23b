// A bound on bytes a second, measured over a few windows of time: what was passed in them, divided
// by the time since the first of them began. So a burst after a pause is one window's worth, and
// what came in too large a piece is made up for by waiting.
//
// A core: no clock, no lock. Time is an argument and does not go back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/time.h"

namespace broker {

class RateQuota {
 public:
  static constexpr std::size_t kWindows = 11;  // as in Kafka
  static constexpr base::Duration kWindow = std::chrono::seconds(1);

  // Bytes a second; nothing: no bound.
  void set_bound(std::optional<std::int64_t> bound) { bound_ = bound; }
  std::optional<std::int64_t> bound() const { return bound_; }

  void record(std::int64_t bytes, base::Instant now);
  // Bytes that may pass now; 0 or less: none.
  std::int64_t left(base::Instant now);
  // Until some may pass, if nobody records more; zero when it is now. Never more than a window,
  // as the bound may be another one by then.
  base::Duration wait(base::Instant now);

 private:
  struct Window {
    base::Instant begin;
    std::int64_t bytes = 0;
  };
  void forget_old(base::Instant now);

  std::optional<std::int64_t> bound_;
  std::deque<Window> windows_;  // at most kWindows, oldest first
  std::int64_t total_ = 0;
};

}  // namespace broker
