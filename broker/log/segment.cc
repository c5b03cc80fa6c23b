#include "broker/log/segment.h"

#include <cstdio>

namespace broker {

void OffsetEntry::encode(base::Bytes& to) const {
  const std::size_t at = to.size();
  to.resize(at + kSize);
  base::store_be(to.data() + at, relative);
  base::store_be(to.data() + at + 4, position);
}

OffsetEntry OffsetEntry::decode(const std::byte* from) {
  return {base::load_be<std::int32_t>(from), base::load_be<std::int32_t>(from + 4)};
}

void TimeEntry::encode(base::Bytes& to) const {
  const std::size_t at = to.size();
  to.resize(at + kSize);
  base::store_be(to.data() + at, timestamp);
  base::store_be(to.data() + at + 8, relative);
}

TimeEntry TimeEntry::decode(const std::byte* from) {
  return {base::load_be<std::int64_t>(from), base::load_be<std::int32_t>(from + 8)};
}

std::string segment_path(const std::string& directory, base::Offset base, std::string_view suffix) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%020lld", static_cast<long long>(base.value()));
  std::string path;
  path.reserve(directory.size() + 21 + suffix.size());
  path.append(directory).append("/").append(digits).append(suffix);
  return path;
}

Segment::Segment(FileCache& files, const std::string& directory, base::Offset base,
                 base::WallMs now)
    : created(now),
      base_(base),
      directory_(directory),
      log_file_(files, segment_path(directory, base, ".log")),
      offset_file_(files, segment_path(directory, base, ".index")),
      time_file_(files, segment_path(directory, base, ".timeindex")) {}

void Segment::start_empty() {
  offsets.set_persisted(0);
  times.set_persisted(0);
  aborted.set_persisted(0);
  largest = TimeEntry{};
}

void Segment::add_batch(const record::BatchView& header, std::uint64_t batch_size,
                        std::uint32_t index_interval_bytes) {
  if (!first_batch_timestamp) first_batch_timestamp = header.max_timestamp();
  const std::int32_t last = relative(header.last_offset());
  if (header.max_timestamp() > largest->timestamp) *largest = {header.max_timestamp(), last};
  if (size - last_index_position > index_interval_bytes) {
    offsets.add({last, static_cast<std::int32_t>(size)});
    add_final_time_entry();
    last_index_position = size;
  }
  size += batch_size;
}

void Segment::add_final_time_entry() {
  if (largest->timestamp <= last_time_entry) return;
  times.add(*largest);
  last_time_entry = largest->timestamp;
}

Segment::Mark Segment::mark() const {
  return {.size = size,
          .offsets = offsets.count(),
          .times = times.count(),
          .aborted = aborted.count(),
          .last_index_position = last_index_position,
          .largest = largest,
          .last_time_entry = last_time_entry,
          .first_batch_timestamp = first_batch_timestamp};
}

void Segment::rewind(const Mark& mark) {
  size = mark.size;
  offsets.drop_to(mark.offsets);
  times.drop_to(mark.times);
  aborted.drop_to(mark.aborted);
  last_index_position = mark.last_index_position;
  largest = mark.largest;
  last_time_entry = mark.last_time_entry;
  first_batch_timestamp = mark.first_batch_timestamp;
}

}  // namespace broker
