#include "broker/log/offset_lookup.h"

#include <algorithm>
#include <cerrno>

#include "broker/log/batch_scanner.h"
#include "broker/log/index_search.h"
#include "broker/log/segment.h"
#include "common/record/compress.h"
#include "common/record/record_view.h"

namespace broker {
namespace {

using Answer = io::IoResult<std::optional<TimestampedOffset>>;

// The first record of one batch at or above both bounds.
Answer search_batch(const record::BatchView& batch, base::WallMs timestamp, base::Offset start) {
  const auto codec = batch.codec();
  if (!codec) return io::io_failure(EBADMSG, "a batch with an unknown codec");
  base::Bytes decompressed;
  base::BytesView section = batch.records();
  if (*codec != record::Codec::kNone) {
    auto output = record::decompress(*codec, section, OffsetLookup::kBatchBytesMax);
    if (!output) return io::io_failure(EBADMSG, std::string(record::to_string(output.error())));
    decompressed = std::move(*output);
    section = decompressed;
  }
  record::RecordReader reader(section, batch.count());
  record::RecordView record;
  const bool stamped = batch.timestamp_type() == record::TimestampType::kLogAppendTime;
  while (reader.next(record)) {
    const base::Offset offset = batch.base_offset() + record.offset_delta;
    const base::WallMs at =
        stamped ? batch.max_timestamp() : batch.base_timestamp() + record.timestamp_delta;
    if (at >= timestamp && offset >= start) {
      return TimestampedOffset{offset, at, batch.leader_epoch()};
    }
  }
  if (!reader.error().empty()) return io::io_failure(EBADMSG, std::string(reader.error()));
  return std::nullopt;
}

}  // namespace

void OffsetLookup::add(std::shared_ptr<const Segment> segment) {
  Part part{.size = segment->size,
            .largest = segment->largest,
            .times = segment->times,
            .offsets = segment->offsets};
  part.segment = std::move(segment);
  parts_.push_back(std::move(part));
}

io::IoResult<std::optional<TimeEntry>> OffsetLookup::largest_of(const Part& part) const {
  if (part.largest) return part.largest;
  return last_in_file(part.times, part.segment->time_file());
}

// A batch boundary before which no record has a timestamp at or above `timestamp`.
io::IoResult<std::uint64_t> OffsetLookup::position_before(const Part& part,
                                                          base::WallMs timestamp) const {
  auto time = floor_entry(part.times, part.segment->time_file(), timestamp, Wait::kMayBlock);
  if (!time) return std::unexpected(time.error());
  if (!time->value) return std::uint64_t{0};
  auto entry = floor_entry(part.offsets, part.segment->offset_file(), time->value->relative,
                           Wait::kMayBlock);
  if (!entry) return std::unexpected(entry.error());
  if (!entry->value || entry->value->position < 0) return std::uint64_t{0};
  const auto position = static_cast<std::uint64_t>(entry->value->position);
  return position < part.size ? position : 0;
}

Answer OffsetLookup::scan(const Part& part, base::WallMs timestamp) const {
  auto position = position_before(part, timestamp);
  if (!position) return std::unexpected(position.error());
  auto file = part.segment->file();
  if (!file) return std::unexpected(file.error());
  BatchScanner scanner(**file, *position, part.size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item || (*item)->view.base_offset() >= end_) break;
    const record::BatchView& header = (*item)->view;
    if (header.max_timestamp() < timestamp || header.last_offset() < start_) continue;
    Answer found;
    if ((*item)->is_whole) {
      found = search_batch(header, timestamp, start_);
    } else {
      auto bytes = scanner.read_whole(**item, kBatchBytesMax);
      if (!bytes) return std::unexpected(bytes.error());
      found = search_batch(*record::BatchView::parse(*bytes), timestamp, start_);
    }
    if (!found)
      return io::io_failure(found.error().code, part.segment->path(".log") + " at " +
                                                    std::to_string((*item)->position) + ": " +
                                                    found.error().what);
    if (!*found) continue;
    if ((*found)->offset >= end_) return std::nullopt;
    return found;
  }
  if (!scanner.why().empty()) {
    return io::io_failure(EBADMSG, part.segment->path(".log") + ": " + scanner.why());
  }
  return std::nullopt;
}

Answer OffsetLookup::first_at_or_above(base::WallMs timestamp) const {
  for (const Part& part : parts_) {
    auto largest = largest_of(part);
    if (!largest && largest.error().code == ENOENT) continue;  // removed meanwhile
    if (!largest) return std::unexpected(largest.error());
    if (*largest && (*largest)->timestamp < timestamp) continue;
    auto found = scan(part, timestamp);
    if (!found && found.error().code == ENOENT) continue;
    if (!found || *found) return found;
  }
  return std::nullopt;
}

// The largest timestamp of a segment that begins before the search does, or goes on behind it.
io::IoResult<base::WallMs> OffsetLookup::largest_inside(const Part& part) const {
  auto file = part.segment->file();
  if (!file) return std::unexpected(file.error());
  base::WallMs largest = -1;
  BatchScanner scanner(**file, 0, part.size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item || (*item)->view.base_offset() >= end_) return largest;
    const record::BatchView& batch = (*item)->view;
    if (batch.last_offset() < start_) continue;
    if (batch.base_offset() >= start_ || batch.is_compressed() || !(*item)->is_whole) {
      largest = std::max(largest, batch.max_timestamp());
      continue;
    }
    // The start lies inside: what stands before it does not count.
    record::RecordReader reader(batch.records(), batch.count());
    record::RecordView record;
    while (reader.next(record)) {
      if (batch.base_offset() + record.offset_delta < start_) continue;
      largest = std::max(largest, batch.base_timestamp() + record.timestamp_delta);
    }
  }
}

io::IoResult<std::optional<TimestampedOffset>> OffsetLookup::run() const {
  if (!max_) return first_at_or_above(timestamp_);
  base::WallMs best = -1;
  for (const Part& part : parts_) {
    auto largest = largest_of(part);
    if (!largest && largest.error().code == ENOENT) continue;
    if (!largest) return std::unexpected(largest.error());
    const base::Offset base = part.segment->base();
    const bool inside = *largest && base + (*largest)->relative < end_ && base >= start_;
    if (inside) {
      best = std::max(best, (*largest)->timestamp);
      continue;
    }
    auto exact = largest_inside(part);
    if (!exact) return std::unexpected(exact.error());
    best = std::max(best, *exact);
  }
  if (best < 0) return std::nullopt;
  return first_at_or_above(best);
}

}  // namespace broker
