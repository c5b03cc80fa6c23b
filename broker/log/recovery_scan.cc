// The part of recovery that looks at data: which bytes past the recovery point are whole batches.
#include <algorithm>
#include <cerrno>

#include "broker/log/recovery.h"
#include "common/base/mutant.h"

namespace broker {

namespace {

// Entries from the front of an index file for as long as they rise and `good` holds.
template <class Entry, class Good>
io::IoResult<std::vector<Entry>> good_entries(io::Disk& disk, const std::string& path, Good good) {
  constexpr std::uint64_t kBytesMax = 64 << 20;
  std::vector<Entry> entries;
  auto file = disk.open(path, io::OpenMode::kRead);
  if (!file) {
    if (file.error().code == ENOENT) return entries;
    return std::unexpected(file.error());
  }
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  base::Bytes bytes(std::min(*size, kBytesMax));
  auto got = (*file)->read_at(bytes, 0);
  if (!got) return std::unexpected(got.error());
  for (std::size_t at = 0; at + Entry::kSize <= *got; at += Entry::kSize) {
    const Entry entry = Entry::decode(bytes.data() + at);
    if (!good(entry) || (!entries.empty() && entry.key() <= entries.back().key())) break;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace

io::IoError Recovery::damaged() const {
  return {EBADMSG, log_.directory_ + ": records below the recovery point " +
                       std::to_string(hints_.recovery_point.value()) +
                       " are damaged or missing; the log reads up to " +
                       std::to_string(log_.end_.value()) + " (" + report_.why + ")"};
}

io::IoResult<void> Recovery::scan() {
  report_.scanned = true;
  auto& segments = log_.segments_;
  // What is below the start need not be there at all.
  const base::Offset point = std::max(hints_.recovery_point, hints_.log_start);
  if (front_is_missing(point)) {
    report_.why = "records before segment " + std::to_string(segments.front()->base().value()) +
                  " are missing";
    report_.removed_segments = segments.size();
    for (const std::uint64_t size : sizes_) report_.truncated_bytes += size;
    log_.end_ = hints_.log_start;
    if (hints_.recovery_point > hints_.log_start) {
      report_.lost_below_recovery_point = true;
      if (!hints_.tolerate_loss) return std::unexpected(damaged());
    }
    return restart_at(point);
  }
  // A snapshot says that the indexes below it are complete. What is behind it is looked at, and the
  // end of the segment before it: a batch that was refused may have come back there.
  auto snapshot = log_.load_newest_snapshot(point, hints_.now);
  if (!snapshot) return std::unexpected(snapshot.error());
  trusted_ = *snapshot;
  floor_ = log_.index_of(trusted_ - 1);
  if (auto done = prepare_floor(*segments[floor_], trusted_); !done) return done;
  // What the file says of later epochs may be of a log that was truncated: the batches tell anew.
  if (log_.epochs_.truncate_end(log_.end_)) ++log_.epochs_version_;
  for (std::size_t i = floor_; i < segments.size(); ++i) {
    Segment& segment = *segments[i];
    if (i > floor_) {
      segment.start_empty();
      segment.size = 0;
      segment.checkpoint_size = 0;
      if (segment.base() != log_.end_ && !gap_is_meant(log_.end_, segment.base())) {
        report_.why =
            "records before segment " + std::to_string(segment.base().value()) + " are missing";
        cut_ = i - 1;
        break;
      }
      log_.end_ = segment.base();
      segments[i - 1]->add_final_time_entry();
    }
    segment.sealed = false;
    if (auto done = scan_segment(segment, sizes_[i]); !done) return done;
    if (segment.size < sizes_[i]) {
      cut_ = i;
      break;
    }
  }
  const bool lost = log_.end_ < hints_.recovery_point && hints_.recovery_point > hints_.log_start;
  if (lost) {
    report_.lost_below_recovery_point = true;
    if (!hints_.tolerate_loss) return std::unexpected(damaged());
  }
  // A snapshot that is ahead of the log is of no log that there is.
  trusted_ = std::min(trusted_, log_.end_);
  return apply_cut();
}

// The first segments were created, but their names never became durable, and those behind them are
// there by chance. A segment that was ever flushed, and every one of Kafka's, has a snapshot.
bool Recovery::front_is_missing(base::Offset point) const {
  const base::Offset front = log_.segments_.front()->base();
  return front > point && !std::ranges::binary_search(log_.snapshots_, front);
}

// Offsets may be missing between two segments of a log that Kafka compacted (ours end where the
// next begins), or where an append went so far ahead that the segment could not count to it. A
// snapshot of producers is written once the data below it is durable: without one, what is missing
// was lost.
bool Recovery::gap_is_meant(base::Offset end, base::Offset next) const {
  if (next < end) return false;
  const bool was_whole = std::ranges::binary_search(log_.snapshots_, next);
  return (log_.config_.compacted && was_whole) || next - end > INT32_MAX / 2;
}

// How many entries of the .txnindex end below `trusted`.
io::IoResult<std::uint64_t> Recovery::kept_aborted(const Segment& segment,
                                                   base::Offset trusted) const {
  auto text = log_.services_.disk.read_file(segment.path(".txnindex"));
  if (!text && text.error().code != ENOENT) return std::unexpected(text.error());
  std::uint64_t aborted = 0;
  const auto bytes = text ? base::as_bytes(*text) : base::BytesView{};
  for (; (aborted + 1) * kAbortedTxnSize <= bytes.size(); ++aborted) {
    const auto txn = read_aborted_txn(bytes.subspan(aborted * kAbortedTxnSize));
    // Entries that were being written may be zeros.
    if (!txn || txn->last_offset >= trusted || txn->last_offset < segment.base() ||
        txn->first_offset >= txn->last_offset) {
      break;
    }
  }
  return aborted;
}

// What the floor's indexes say below `trusted` is kept, and scanning begins at their newest entry.
io::IoResult<void> Recovery::prepare_floor(Segment& segment, base::Offset trusted) {
  const std::uint64_t file_size = segment.size;
  segment.start_empty();
  segment.size = 0;
  segment.checkpoint_size = 0;
  log_.end_ = segment.base();
  if (!segment.exists) return {};
  const std::int64_t limit = trusted - segment.base();
  io::Disk& disk = log_.services_.disk;
  auto aborted = kept_aborted(segment, trusted);
  if (!aborted) return std::unexpected(aborted.error());
  segment.aborted.set_persisted(*aborted);
  std::int32_t last_position = 0;
  auto offsets = good_entries<OffsetEntry>(disk, segment.path(".index"), [&](const auto& entry) {
    const bool good = entry.relative < limit && entry.position > last_position &&
                      static_cast<std::uint64_t>(entry.position) < file_size;
    last_position = entry.position;
    return good;
  });
  if (!offsets) return std::unexpected(offsets.error());
  if (offsets->empty()) return {};
  const OffsetEntry& newest = offsets->back();
  auto times = good_entries<TimeEntry>(disk, segment.path(".timeindex"), [&](const auto& entry) {
    return entry.relative <= newest.relative;
  });
  if (!times) return std::unexpected(times.error());
  // The batch that the newest entry names must be there and whole; else all is read.
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  BatchScanner scanner(**file, static_cast<std::uint64_t>(newest.position), file_size);
  auto item = scanner.next();
  if (!item) return std::unexpected(item.error());
  if (!*item || segment.relative((*item)->view.last_offset()) != newest.relative) return {};
  auto whole = scanner.checksum_ok(**item);
  if (!whole) return std::unexpected(whole.error());
  if (!*whole) return {};
  const base::Offset resume = (*item)->view.base_offset();

  segment.offsets.set_persisted(offsets->size());
  segment.times.set_persisted(times->size());
  segment.size = segment.last_index_position = static_cast<std::uint64_t>(newest.position);
  segment.checkpoint_size = segment.size;
  if (!times->empty()) segment.largest = times->back();
  segment.last_time_entry = segment.largest->timestamp;
  log_.end_ = resume;
  BatchScanner front(**file, 0, file_size);
  auto first = front.next();
  if (!first) return std::unexpected(first.error());
  if (*first) segment.first_batch_timestamp = (*first)->view.max_timestamp();
  return {};
}

// Takes whole batches from `segment.size` on; where they end, the segment ends.
io::IoResult<void> Recovery::scan_segment(Segment& segment, std::uint64_t file_size) {
  if (!segment.exists) return {};
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  BatchScanner scanner(**file, segment.size, file_size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item) break;
    const record::BatchView& batch = (*item)->view;
    std::string why;
    if (batch.base_offset() < log_.end_ || batch.last_offset_delta() < 0 ||
        batch.last_offset() - segment.base() > INT32_MAX) {
      why = "the batch has an offset out of order";
    } else {
      auto whole = scanner.checksum_ok(**item);
      if (!whole) return std::unexpected(whole.error());
      if (!*whole && !MUTANT("recovery-believes-all")) why = "the batch has a wrong checksum";
    }
    if (!why.empty()) {
      report_.why = segment.path(".log") + " at " + std::to_string(segment.size) + ": " + why;
      return {};
    }
    const auto latest = log_.epochs_.latest();
    if (!latest || *latest < batch.leader_epoch()) {
      log_.assign_epoch(batch.leader_epoch(), batch.base_offset());
    }
    segment.add_batch(batch, (*item)->size, log_.config_.index_interval_bytes);
    report_.scanned_bytes += (*item)->size;
    log_.end_ = batch.next_offset();
  }
  if (!scanner.why().empty()) {
    report_.why =
        segment.path(".log") + " at " + std::to_string(segment.size) + ": " + scanner.why();
  }
  return {};
}

// Cuts what was found to be no log: later segments one by one from the end, then the tail.
io::IoResult<void> Recovery::apply_cut() {
  auto& segments = log_.segments_;
  if (cut_) {
    while (segments.size() > *cut_ + 1) {
      report_.truncated_bytes += sizes_[segments.size() - 1];
      ++report_.removed_segments;
      if (auto removed = log_.remove_newest_segment(); !removed) return removed;
    }
    Segment& segment = log_.active();
    if (segment.exists && segment.size < sizes_[*cut_]) {
      report_.truncated_bytes += sizes_[*cut_] - segment.size;
      auto file = segment.file();
      if (!file) return std::unexpected(file.error());
      if (auto cut = (*file)->truncate(segment.size); !cut) return cut;
      if (auto synced = (*file)->sync_data(); !synced) return synced;
    }
  }
  // A log that ends below its start will start over there, with that snapshot.
  const base::Offset end = std::max(log_.end_, hints_.log_start);
  if (!log_.snapshots_.empty() && log_.snapshots_.back() > end) changed_ = true;
  return log_.remove_snapshots_above(end);
}

// The start is known to lie above all that is left: nothing of it counts, but what producers did
// below the start.
io::IoResult<void> Recovery::restart_at(base::Offset start) {
  // The batches that tell the newest epoch go: it is written down first.
  log_.epochs_.truncate_end(start);
  log_.epochs_.truncate_start(start);
  ++log_.epochs_version_;
  if (auto wrote = log_.write_epochs(); !wrote) return wrote;
  while (!log_.segments_.empty()) {
    if (auto removed = log_.remove_newest_segment(); !removed) return removed;
  }
  changed_ = true;
  log_.segments_.push_back(log_.make_segment(start, hints_.now));
  log_.end_ = start;
  trusted_ = start;
  floor_ = 0;
  if (auto removed = log_.remove_snapshots_above(start); !removed) return removed;
  while (!log_.snapshots_.empty() && log_.snapshots_.front() < start) {
    const std::string path = segment_path(log_.directory_, log_.snapshots_.front(), ".snapshot");
    if (auto removed = remove(path); !removed) return removed;
    log_.snapshots_.erase(log_.snapshots_.begin());
  }
  return {};
}

io::IoResult<void> Recovery::make_durable() {
  for (std::size_t i = floor_; i < log_.segments_.size(); ++i) {
    Segment& segment = *log_.segments_[i];
    segment.durable_size = segment.size;
    if (!segment.exists || hints_.synced || hints_.clean_shutdown) continue;
    auto file = segment.file();
    if (!file) return std::unexpected(file.error());
    if (auto synced = (*file)->sync_data(); !synced) return synced;
  }
  if (changed_ || (!hints_.synced && !hints_.clean_shutdown)) {
    if (auto synced = log_.services_.disk.sync_directory(log_.directory_); !synced) return synced;
  }
  log_.durable_end_ = log_.end_;
  return {};
}

}  // namespace broker
