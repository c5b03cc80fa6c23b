// What may go from the front of a log, and how it goes.
#include <algorithm>
#include <cerrno>

#include "broker/log/log.h"

namespace broker {

namespace {
constexpr std::string_view kSuffixes[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
}

io::IoResult<base::WallMs> Log::largest_timestamp(Segment& segment) const {
  if (!segment.largest) {
    auto last = last_in_file(segment.times, segment.time_file());
    if (!last) return std::unexpected(last.error());
    if (*last) segment.largest = **last;
    // Without entries nothing is known: as if the records had no timestamps.
  }
  // Records without a timestamp count from when this process first saw the segment.
  if (segment.largest && segment.largest->timestamp >= 0) return segment.largest->timestamp;
  return segment.created;
}

io::IoResult<base::Offset> Log::start_by_time(base::WallMs now, base::Offset upper_bound) const {
  base::Offset start = start_;
  if (config_.retention_ms < 0) return start;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i]->size == 0 && i + 1 == segments_.size()) break;
    if (end_of(i) > upper_bound) break;
    auto largest = largest_timestamp(*segments_[i]);
    if (!largest) return std::unexpected(largest.error());
    if (now - *largest <= config_.retention_ms) break;
    start = std::max(start, end_of(i));
  }
  return start;
}

base::Offset Log::start_by_size(base::Offset from, base::Offset upper_bound) const {
  base::Offset start = from;
  if (config_.retention_bytes < 0) return start;
  std::uint64_t size = 0;
  for (std::size_t i = index_of(from); i < segments_.size(); ++i) size += segments_[i]->size;
  const auto keep = static_cast<std::uint64_t>(config_.retention_bytes);
  for (std::size_t i = index_of(from); i < segments_.size(); ++i) {
    const std::uint64_t segment_size = segments_[i]->size;
    if (segment_size == 0 && i + 1 == segments_.size()) break;
    if (end_of(i) > upper_bound || size < keep + segment_size) break;
    size -= segment_size;
    start = std::max(start, end_of(i));
  }
  return start;
}

base::Offset Log::retention_start(base::WallMs now, base::Offset upper_bound) {
  if (!config_.deletes) return start_;
  auto by_time = start_by_time(now, upper_bound);
  if (!by_time) {
    services_.diag.error("log", "retention cannot tell how old records are",
                         {{"log", directory_}, {"error", by_time.error().what}});
    return start_;
  }
  const base::Offset start = start_by_size(*by_time, upper_bound);
  if (start == end_ && start > start_ && active().size > 0) roll_in_memory(now);
  return start;
}

// Everything goes: the next record opens a new segment, whose file comes with it. Until then the
// start offset, made durable before anything is removed, tells recovery where the log goes on.
void Log::roll_in_memory(base::WallMs now) {
  active().add_final_time_entry();
  auto next = make_segment(end_, now);
  next->snapshot = producers_.encode_snapshot();
  segments_.push_back(std::move(next));
  recent_.clear();
}

io::IoResult<void> Log::advance_start(base::Offset offset) {
  if (offset > end_) {
    return io::io_failure(ERANGE, directory_ + ": start " + std::to_string(offset.value()) +
                                      " is above the end " + std::to_string(end_.value()));
  }
  if (offset <= start_) return {};
  start_ = offset;
  if (epochs_.truncate_start(offset)) ++epochs_version_;
  producers_.on_log_start(offset);
  return {};
}

void Log::mark_start_durable(base::Offset offset) {
  durable_start_ = std::max(durable_start_, std::min(offset, start_));
}

Removal Log::take_removals() {
  Removal removal{.directory = directory_};
  std::size_t count = 0;
  collect_swap();
  while (count + 1 < segments_.size() && segments_[count + 1]->base() <= durable_start_) {
    // What compaction is about to replace goes later.
    if (swap_ && segments_[count] == swap_->olds().front()) break;
    ++count;
  }
  // What producers did in the files that go is known from the snapshot at their end: without one
  // they stay.
  const auto has_snapshot = [&](const Segment& segment) {
    return segment.snapshot || std::ranges::binary_search(snapshots_, segment.base());
  };
  while (count > 0 && !has_snapshot(*segments_[count])) --count;
  if (count == 0) return removal;
  if (const auto& snapshot = segments_[count]->snapshot) {
    removal.snapshots.push_back({segments_[count]->path(".snapshot"), *snapshot});
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Segment& segment = *segments_[i];
    for (std::string_view suffix : kSuffixes) {
      std::string path = segment.path(suffix);
      removal.files.push_back(path + ".deleted");
      removal.renames.emplace_back(std::move(path), removal.files.back());
    }
    segment.log_file().renamed(segment.path(".log") + ".deleted");
    segment.offset_file().renamed(segment.path(".index") + ".deleted");
    segment.time_file().renamed(segment.path(".timeindex") + ".deleted");
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  const base::Offset first = segments_.front()->base();
  for (const base::Offset offset : snapshots_) {
    if (offset >= first) break;
    const std::string path = segment_path(directory_, offset, ".snapshot");
    if (std::ranges::find(removal.files, path + ".deleted") != removal.files.end()) continue;
    removal.files.push_back(path + ".deleted");
    removal.renames.emplace_back(path, removal.files.back());
  }
  std::erase_if(snapshots_, [&](base::Offset offset) { return offset < first; });
  return removal;
}

io::IoResult<void> Removal::rename_all(io::Disk& disk) const {
  if (auto wrote = write_side_files(disk, directory, snapshots); !wrote) return wrote;
  for (const auto& [from, to] : renames) {
    auto renamed = disk.rename(from, to);
    if (!renamed && renamed.error().code != ENOENT) return renamed;
  }
  return {};
}

io::IoResult<void> Removal::remove_all(io::Disk& disk) const {
  for (const std::string& path : files) {
    auto removed = disk.remove(path);
    if (!removed && removed.error().code != ENOENT) return removed;
  }
  return {};
}

}  // namespace broker
