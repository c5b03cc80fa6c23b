// Reading from a log: from offsets to bytes of a segment.
#include <algorithm>
#include <cerrno>

#include "broker/log/log.h"

namespace broker {

// The first batch that ends above `offset`: from memory near the end of the log, else by the index.
io::IoResult<Found<BatchPlace>> Log::find_batch(std::size_t index, base::Offset offset,
                                                Wait wait) const {
  if (index + 1 == segments_.size()) {
    if (const auto recent = recent_.find(offset)) {
      return Found<BatchPlace>{.value = BatchPlace{recent->base_offset, recent->next_offset,
                                                   recent->position, recent->size}};
    }
  }
  const Segment& segment = *segments_[index];
  if (segment.size == 0) return Found<BatchPlace>{};
  return locate(segment, segment.size, offset, wait);
}

// Where the bytes end that hold nothing at or above `bound`. Nothing: the medium is needed, as
// `slice` then says.
io::IoResult<std::optional<std::uint64_t>> Log::position_of(std::size_t index, base::Offset bound,
                                                            Wait wait, LogSlice& slice) const {
  const Segment& segment = *segments_[index];
  if (bound >= end_of(index)) return segment.size;
  auto found = find_batch(index, bound, wait);
  if (!found) return std::unexpected(found.error());
  if (found->cold) {
    slice.cold = true;
    slice.bytes = std::move(*found->cold);
    return std::nullopt;
  }
  return found->value ? found->value->position : segment.size;
}

io::IoResult<LogSlice> Log::read(const ReadSpec& spec) {
  if (spec.from < start_ || spec.from > end_) {
    return io::io_failure(ERANGE, directory_ + ": offset " + std::to_string(spec.from.value()) +
                                      " is outside [" + std::to_string(start_.value()) + ", " +
                                      std::to_string(end_.value()) + "]");
  }
  const base::Offset bound = std::min(spec.upper_bound, end_);
  const Wait wait = spec.may_block ? Wait::kMayBlock : Wait::kNever;
  LogSlice slice;
  slice.end_bound = spec.from;
  if (spec.from >= bound) return slice;
  for (std::size_t i = index_of(spec.from); i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (segment.base() >= bound) return slice;
    auto found = find_batch(i, spec.from, wait);
    if (!found) return std::unexpected(found.error());
    if (found->cold) {
      slice.cold = true;
      slice.bytes = std::move(*found->cold);
      return slice;
    }
    // All of its offsets from there on were compacted away: the next segment goes on.
    if (!found->value) continue;
    const BatchPlace& place = *found->value;
    if (place.base_offset >= bound) return slice;
    auto end = position_of(i, bound, wait, slice);
    if (!end) return std::unexpected(end.error());
    if (!*end) return slice;
    if (**end <= place.position) return slice;  // the bound lies inside the first batch
    const std::uint64_t length = **end - place.position;
    slice.base_offset = place.base_offset;
    slice.end_bound = std::min(bound, end_of(i));
    slice.bytes.position = place.position;
    slice.bytes.length = std::min(length, spec.bytes_max);
    if (slice.bytes.length < place.size) {
      slice.bytes.length = spec.at_least_one_batch ? place.size : 0;
    }
    slice.ends_at_bound = slice.bytes.length == length;
    if (slice.bytes.length == 0) return slice;
    auto file = segment.file();
    if (!file) return std::unexpected(file.error());
    slice.bytes.file = std::move(*file);
    return slice;
  }
  return slice;
}

OffsetLookup Log::prepare_lookup(base::WallMs timestamp, base::Offset upper_bound) const {
  OffsetLookup lookup;
  lookup.timestamp_ = timestamp;
  lookup.start_ = start_;
  lookup.end_ = std::min(upper_bound, end_);
  for (std::size_t i = index_of(start_); i < segments_.size(); ++i) {
    if (segments_[i]->base() >= lookup.end_) break;
    if (segments_[i]->size == 0) continue;
    lookup.add(segments_[i]);
  }
  return lookup;
}

OffsetLookup Log::prepare_max_timestamp(base::Offset upper_bound) const {
  OffsetLookup lookup = prepare_lookup(0, upper_bound);
  lookup.max_ = true;
  return lookup;
}

}  // namespace broker
