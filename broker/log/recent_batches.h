// Where the last batches of the active segment begin: answers reads near the end of the log without
// touching index or file. A ring of fixed size, allocated with the first batch. Pure; owned by Log.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace broker {

class RecentBatches {
 public:
  static constexpr std::size_t kCount = 64;

  struct Place {
    base::Offset base_offset;
    base::Offset next_offset;
    std::uint32_t position = 0;
    std::uint32_t size = 0;
  };

  // Batches come in order of offset and position.
  void add(const Place& place);
  void clear();
  // Forgets batches that reach to `end` or beyond.
  void truncate(base::Offset end);

  // The first batch that ends above `offset`; nothing when the ring does not reach back that far or
  // no batch does.
  std::optional<Place> find(base::Offset offset) const;

 private:
  const Place& at(std::size_t index) const { return ring_[(first_ + index) % kCount]; }
  std::vector<Place> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace broker
