#include "broker/log/recent_batches.h"

namespace broker {

void RecentBatches::add(const Place& place) {
  if (ring_.empty()) ring_.resize(kCount);
  if (count_ == kCount) {
    ring_[first_] = place;
    first_ = (first_ + 1) % kCount;
  } else {
    ring_[(first_ + count_) % kCount] = place;
    ++count_;
  }
}

void RecentBatches::clear() {
  first_ = 0;
  count_ = 0;
}

void RecentBatches::truncate(base::Offset end) {
  while (count_ > 0 && at(count_ - 1).next_offset > end) --count_;
}

std::optional<RecentBatches::Place> RecentBatches::find(base::Offset offset) const {
  if (count_ == 0) return std::nullopt;
  // A batch before the first may hold it, unless the first begins the segment.
  if (at(0).base_offset > offset && at(0).position != 0) return std::nullopt;
  std::size_t low = 0;
  std::size_t high = count_;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (at(middle).next_offset > offset) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == count_) return std::nullopt;
  return at(low);
}

}  // namespace broker
