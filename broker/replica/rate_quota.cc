#include "broker/replica/rate_quota.h"

#include <algorithm>

namespace broker {
namespace {

double seconds(base::Duration span) { return std::chrono::duration<double>(span).count(); }

// Sums of bytes stay far from overflow.
constexpr double kLimit = 1e18;

}  // namespace

void RateQuota::forget_old(base::Instant now) {
  while (!windows_.empty() &&
         now - windows_.front().begin >= kWindow * static_cast<std::int64_t>(kWindows)) {
    total_ -= windows_.front().bytes;
    windows_.pop_front();
  }
}

void RateQuota::record(std::int64_t bytes, base::Instant now) {
  forget_old(now);
  if (windows_.empty() || now - windows_.back().begin >= kWindow) windows_.push_back({now, 0});
  windows_.back().bytes += bytes;
  total_ += bytes;
}

std::int64_t RateQuota::left(base::Instant now) {
  if (!bound_) return INT64_MAX;
  forget_old(now);
  const base::Duration since = windows_.empty() ? kWindow : now - windows_.front().begin;
  const double allowed = static_cast<double>(*bound_) * seconds(std::max(since, kWindow));
  return static_cast<std::int64_t>(std::min(allowed, kLimit)) - total_;
}

base::Duration RateQuota::wait(base::Instant now) {
  const std::int64_t short_of = 1 - left(now);
  if (short_of <= 0) return base::Duration::zero();
  const double span =
      static_cast<double>(short_of) / static_cast<double>(std::max<std::int64_t>(1, *bound_));
  if (span >= seconds(kWindow)) return kWindow;
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(span)) +
         std::chrono::milliseconds(1);
}

}  // namespace broker
