// Cutting records off the end of a log, so that no crash brings any of them back: names go one by
// one from the end, each durably, before the file that is cut; everything is synced at the end.
#include <algorithm>
#include <cerrno>

#include "broker/log/batch_scanner.h"
#include "broker/log/log.h"

namespace broker {

namespace {

io::IoResult<void> remove_if_there(io::Disk& disk, const std::string& path) {
  auto removed = disk.remove(path);
  if (!removed && removed.error().code != ENOENT) return removed;
  return {};
}

io::IoResult<void> cut_file(io::Disk& disk, const std::string& path, std::uint64_t size) {
  auto file = disk.open(path, io::OpenMode::kReadWrite);
  if (!file) {
    if (file.error().code == ENOENT) return {};
    return std::unexpected(file.error());
  }
  if (auto cut = (*file)->truncate(size); !cut) return cut;
  return (*file)->sync_data();
}

}  // namespace

io::IoResult<void> Log::remove_newest_segment() {
  Segment& segment = active();
  segment.log_file().close();
  segment.offset_file().close();
  segment.time_file().close();
  // The data goes last: indexes without it are swept away at the next start, the other way round
  // they would be believed.
  for (std::string_view suffix : {".index", ".timeindex", ".txnindex", ".log"}) {
    if (auto removed = remove_if_there(services_.disk, segment.path(suffix)); !removed) {
      return removed;
    }
  }
  segments_.pop_back();
  return services_.disk.sync_directory(directory_);
}

io::IoResult<void> Log::remove_snapshots_above(base::Offset offset) {
  while (!snapshots_.empty() && snapshots_.back() > offset) {
    const std::string path = segment_path(directory_, snapshots_.back(), ".snapshot");
    if (auto removed = remove_if_there(services_.disk, path); !removed) return removed;
    snapshots_.pop_back();
  }
  return {};
}

// Index entries of batches that end at or above `end` go, in memory and in the files.
io::IoResult<void> Log::cut_indexes(Segment& segment, base::Offset end) {
  // All of a file's entries are looked at: they are few, and truncation is rare.
  const auto count_below = [&](std::string_view suffix, const auto& index,
                               auto is_below) -> io::IoResult<std::uint64_t> {
    using Entry = std::decay_t<decltype(index.tail().front())>;
    std::uint64_t count = 0;
    if (!index.persisted() || *index.persisted() > 0) {
      auto text = services_.disk.read_file(segment.path(suffix));
      if (!text && text.error().code != ENOENT) return std::unexpected(text.error());
      const auto bytes = text ? base::as_bytes(*text) : base::BytesView{};
      const std::uint64_t there = bytes.size() / Entry::kSize;
      const std::uint64_t limit = std::min(there, index.persisted().value_or(there));
      while (count < limit && is_below(bytes.data() + count * Entry::kSize)) ++count;
      if (count < limit) return count;
    }
    for (const Entry& entry : index.tail()) {
      base::Bytes bytes;
      entry.encode(bytes);
      if (!is_below(bytes.data())) break;
      ++count;
    }
    return count;
  };
  const std::int64_t relative = end - segment.base();
  auto offsets = count_below(".index", segment.offsets, [&](const std::byte* at) {
    return OffsetEntry::decode(at).relative < relative;
  });
  auto times = count_below(".timeindex", segment.times, [&](const std::byte* at) {
    return TimeEntry::decode(at).relative < relative;
  });
  auto aborted = count_below(".txnindex", segment.aborted, [&](const std::byte* at) {
    const auto txn = read_aborted_txn({at, kAbortedTxnSize});
    return txn && txn->last_offset < end;
  });
  if (!offsets) return std::unexpected(offsets.error());
  if (!times) return std::unexpected(times.error());
  if (!aborted) return std::unexpected(aborted.error());
  const auto apply = [](auto& index, std::uint64_t count) {
    if (!index.persisted()) index.set_persisted(count);
    index.truncate(count);
  };
  apply(segment.offsets, *offsets);
  apply(segment.times, *times);
  apply(segment.aborted, *aborted);
  for (const auto& [suffix, size] :
       {std::pair<std::string_view, std::uint64_t>{".index", segment.offsets.file_position()},
        {".timeindex", segment.times.file_position()},
        {".txnindex", segment.aborted.file_position()}}) {
    if (auto cut = cut_file(services_.disk, segment.path(suffix), size); !cut) return cut;
  }
  return {};
}

// What an active segment keeps beside its indexes, from the indexes and the last batches.
io::IoResult<void> Log::load_active_state(Segment& segment) {
  const auto newest = [](const auto& index, CachedFile& file) {
    using Entry = std::decay_t<decltype(index.tail().front())>;
    if (!index.tail().empty()) {
      return io::IoResult<std::optional<Entry>>(index.tail().back());
    }
    return last_in_file(index, file);
  };
  auto offset = newest(segment.offsets, segment.offset_file());
  if (!offset) return std::unexpected(offset.error());
  auto time = newest(segment.times, segment.time_file());
  if (!time) return std::unexpected(time.error());
  segment.last_index_position =
      *offset ? static_cast<std::uint64_t>((*offset)->position) : std::uint64_t{0};
  segment.last_time_entry = *time ? (*time)->timestamp : -1;
  segment.largest = time->value_or(TimeEntry{});
  segment.checkpoint_size = segment.last_index_position;
  segment.first_batch_timestamp.reset();
  if (segment.size == 0) return {};
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  BatchScanner first(**file, 0, segment.size);
  auto item = first.next();
  if (!item) return std::unexpected(item.error());
  if (*item) segment.first_batch_timestamp = (*item)->view.max_timestamp();
  // Behind the newest index entry only the batches know the largest timestamp.
  BatchScanner rest(**file, segment.last_index_position, segment.size);
  while (true) {
    item = rest.next();
    if (!item) return std::unexpected(item.error());
    if (!*item) return {};
    const record::BatchView& batch = (*item)->view;
    if (batch.max_timestamp() > segment.largest->timestamp) {
      segment.largest = {batch.max_timestamp(), segment.relative(batch.last_offset())};
    }
  }
}

io::IoResult<void> Log::cut_active(base::Offset offset) {
  Segment& segment = active();
  segment.sealed = false;
  end_ = std::max(offset, segment.base());
  if (segment.size > 0) {
    auto found = locate(segment, segment.size, offset, Wait::kMayBlock);
    if (!found) return std::unexpected(found.error());
    if (found->value) {
      segment.size = found->value->position;
      // A batch is cut as a whole.
      end_ = std::min(end_, std::max(found->value->base_offset, segment.base()));
    }
    auto file = segment.file();
    if (!file) return std::unexpected(file.error());
    if (auto cut = (*file)->truncate(segment.size); !cut) return cut;
    if (auto synced = (*file)->sync_data(); !synced) return synced;
    segment.durable_cuts = segment.cuts;
  }
  segment.durable_size = segment.size;
  if (auto cut = cut_indexes(segment, end_); !cut) return cut;
  return load_active_state(segment);
}

io::IoResult<void> Log::truncated(io::IoResult<void> result) {
  if (result) return result;
  return std::unexpected(fail(result.error()));
}

// A batch is cut as a whole: one that begins below the start would take the end there too.
io::IoResult<bool> Log::cut_straddles_start(base::Offset offset) const {
  const std::size_t index = index_of(offset);
  auto found = find_batch(index, offset, Wait::kMayBlock);
  if (!found) return std::unexpected(found.error());
  return found->value && std::min(found->value->base_offset, offset) < start_;
}

io::IoResult<void> Log::truncate_to(base::Offset offset, base::WallMs now) {
  if (auto may = may_append(); !may) return may;
  if (offset >= end_) return {};
  if (offset < start_) {
    return io::io_failure(ERANGE, directory_ + ": cannot truncate below the start");
  }
  settle_swap();
  auto straddles = cut_straddles_start(offset);
  if (!straddles) return std::unexpected(straddles.error());
  if (*straddles) return truncate_fully_and_start_at(start_, now);
  // What is not durable below the cut is made so, that the whole log is afterwards.
  FlushBatch batch = take_unflushed();
  if (auto synced = batch.sync(services_.disk); !synced) return truncated(synced);
  mark_flushed(batch);
  if (upkeep_) upkeep_->finish();
  collect_upkeep();
  ++truncations_;
  recent_.clear();
  while (segments_.size() > 1 && active().base() >= offset) {
    if (auto removed = remove_newest_segment(); !removed) return truncated(removed);
  }
  if (auto cut = cut_active(offset); !cut) return truncated(cut);
  durable_end_ = std::min(durable_end_, end_);
  if (auto removed = remove_snapshots_above(end_); !removed) return truncated(removed);
  if (epochs_.truncate_end(end_)) ++epochs_version_;
  if (auto wrote = write_epochs(); !wrote) return truncated(wrote);
  return truncated(rebuild_producers(end_, now));
}

io::IoResult<void> Log::write_epochs() {
  const std::string path = directory_ + "/leader-epoch-checkpoint";
  if (auto wrote = services_.disk.replace_file(path, epochs_.encode()); !wrote) return wrote;
  epochs_written_ = epochs_version_;
  epochs_unsaved_from_.reset();
  return {};
}

io::IoResult<void> Log::truncate_fully_and_start_at(base::Offset offset, base::WallMs now) {
  if (auto may = may_append(); !may) return may;
  settle_swap();
  if (upkeep_) upkeep_->finish();
  collect_upkeep();
  ++truncations_;
  recent_.clear();
  while (!segments_.empty()) {
    if (auto removed = remove_newest_segment(); !removed) {
      if (segments_.empty()) segments_.push_back(make_segment(offset, now));
      return truncated(removed);
    }
  }
  segments_.push_back(make_segment(offset, now));
  start_ = durable_start_ = end_ = durable_end_ = offset;
  if (auto removed = remove_snapshots_above(base::Offset(-1)); !removed) return truncated(removed);
  epochs_.clear();
  ++epochs_version_;
  if (auto wrote = write_epochs(); !wrote) return truncated(wrote);
  producers_.reset(offset);
  // The file carries the new start until the owner's checkpoint does.
  if (auto made = ensure_file(active()); !made) return truncated(made);
  if (auto synced = services_.disk.sync_directory(directory_); !synced) return truncated(synced);
  names_dirty_ = false;
  return {};
}

}  // namespace broker
