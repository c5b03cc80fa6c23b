// What of a log has to reach the medium, and what is known to have.
#include <algorithm>

#include "broker/log/log.h"
#include "common/base/check.h"

namespace broker {

FlushBatch Log::take_unflushed() {
  collect_upkeep();
  FlushBatch batch{.directory = directory_,
                   .sync_directory = names_dirty_,
                   .names_version = names_version_,
                   .end = end_,
                   .truncations = truncations_};
  // Only the newest segments can have anything that was not synced.
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
    const Segment& segment = **it;
    if (!segment.exists) continue;
    if (!segment.is_durable()) {
      auto file = segment.file();
      if (!file) {
        // Missing: the partition was deleted. That says nothing about the medium.
        if (file.error().code == ENOENT)
          failed_ = file.error();
        else
          fail(file.error());
        return {.directory = directory_, .end = durable_end_, .truncations = truncations_};
      }
      batch.data.push_back({segment.base(), segment.size, segment.cuts, std::move(*file)});
    } else {
      break;
    }
  }
  if (!upkeep_ && upkeep_due()) batch.upkeep = upkeep_ = make_upkeep(ActiveIndexes::kWhenDue);
  return batch;
}

void Log::mark_flushed(const FlushBatch& batch) {
  if (batch.truncations != truncations_) return;
  for (const FlushBatch::Data& data : batch.data) {
    const std::size_t index = index_of(data.segment);
    Segment& segment = *segments_[index];
    if (segment.base() != data.segment) continue;  // removed meanwhile
    segment.durable_size = std::max(segment.durable_size, std::min(data.size, segment.size));
    segment.durable_cuts = std::max(segment.durable_cuts, data.cuts);
  }
  if (batch.sync_directory && batch.names_version == names_version_) names_dirty_ = false;
  durable_end_ = std::max(durable_end_, std::min(batch.end, end_));
}

bool Log::wants_flush() const {
  if (durable_end_ < end_ || names_dirty_ || !active().is_durable()) return true;
  if (upkeep_) return upkeep_->state.load(std::memory_order_acquire) != Upkeep::State::kPending;
  return upkeep_due();
}

bool Log::upkeep_due() const {
  if (epochs_written_ != epochs_version_) return true;
  if (active().size - std::min(active().size, active().checkpoint_size) >=
      config_.checkpoint_bytes) {
    return true;
  }
  if (active().snapshot) return true;
  return segments_.size() > 1 && !segments_[segments_.size() - 2]->sealed;
}

// The indexes that `segment` still holds in memory, on to their files.
void Log::add_indexes(Upkeep& upkeep, const std::shared_ptr<Segment>& segment, bool sealing) const {
  Segment& from = *segment;
  upkeep.indexes.push_back(
      {from.path(".timeindex"), from.times.encode_tail(), from.times.file_position()});
  if (from.aborted.count() > 0) {
    upkeep.indexes.push_back(
        {from.path(".txnindex"), from.aborted.encode_tail(), from.aborted.file_position()});
  }
  upkeep.indexes.push_back(
      {from.path(".index"), from.offsets.encode_tail(), from.offsets.file_position()});
  upkeep.persisted.push_back({.segment = segment,
                              .size = from.size,
                              .offset_entries = from.offsets.count(),
                              .time_entries = from.times.count(),
                              .aborted_entries = from.aborted.count(),
                              .sealed = sealing});
}

std::shared_ptr<Upkeep> Log::take_checkpoint(std::uint64_t least) {
  collect_upkeep();
  if (upkeep_ || !may_append()) return nullptr;
  if (!upkeep_due() && active().size - std::min(active().size, active().checkpoint_size) < least) {
    return nullptr;
  }
  return upkeep_ = make_upkeep(ActiveIndexes::kAlways);
}

std::shared_ptr<Upkeep> Log::make_upkeep(ActiveIndexes active_indexes) {
  auto upkeep = std::make_shared<Upkeep>();
  upkeep->directory = directory_;
  upkeep->truncations = truncations_;
  upkeep->epochs_version = epochs_version_;
  if (epochs_written_ != epochs_version_) upkeep->epochs = epochs_.encode();
  std::size_t first = segments_.size() - 1;
  while (first > 0 && !segments_[first - 1]->sealed) --first;
  for (std::size_t i = first; i + 1 < segments_.size(); ++i) {
    add_indexes(*upkeep, segments_[i], true);
  }
  for (std::size_t i = first; i < segments_.size(); ++i) {
    if (!segments_[i]->snapshot) continue;
    upkeep->snapshots.push_back({segments_[i]->path(".snapshot"), *segments_[i]->snapshot});
    upkeep->snapshot_offsets.push_back(segments_[i]->base());
  }
  const std::uint64_t grown = active().size - std::min(active().size, active().checkpoint_size);
  if (active_indexes != ActiveIndexes::kWhenDue || grown >= config_.checkpoint_bytes) {
    if (active_indexes == ActiveIndexes::kClosing) active().add_final_time_entry();
    if (active().size > 0) add_indexes(*upkeep, segments_.back(), false);
    const bool there =
        std::ranges::find(upkeep->snapshot_offsets, end_) != upkeep->snapshot_offsets.end();
    if (!there) {
      upkeep->snapshots.push_back(
          {segment_path(directory_, end_, ".snapshot"), producers_.encode_snapshot()});
      upkeep->snapshot_offsets.push_back(end_);
    }
    // A snapshot that is not the base of a segment was an earlier one of this kind.
    for (const base::Offset offset : snapshots_) {
      if (offset >= end_ || segments_[index_of(offset)]->base() == offset) continue;
      upkeep->obsolete.push_back(segment_path(directory_, offset, ".snapshot"));
      upkeep->obsolete_offsets.push_back(offset);
    }
  }
  return upkeep;
}

// Takes note of upkeep that has ended.
void Log::collect_upkeep() {
  if (!upkeep_) return;
  const auto state = upkeep_->state.load(std::memory_order_acquire);
  if (state == Upkeep::State::kPending) return;
  const auto upkeep = std::exchange(upkeep_, nullptr);
  if (state == Upkeep::State::kSkipped || upkeep->truncations != truncations_) return;
  if (upkeep->epochs) {
    epochs_written_ = upkeep->epochs_version;
    if (epochs_written_ == epochs_version_) epochs_unsaved_from_.reset();
  }
  for (const Upkeep::Persisted& persisted : upkeep->persisted) {
    Segment& segment = *persisted.segment;
    segment.offsets.mark_persisted(persisted.offset_entries);
    segment.times.mark_persisted(persisted.time_entries);
    segment.aborted.mark_persisted(persisted.aborted_entries);
    segment.checkpoint_size = persisted.size;
    segment.sealed = segment.sealed || persisted.sealed;
  }
  for (const base::Offset offset : upkeep->snapshot_offsets) {
    const std::size_t index = index_of(offset);
    if (segments_[index]->base() == offset) segments_[index]->snapshot.reset();
    const auto place = std::ranges::lower_bound(snapshots_, offset);
    if (place == snapshots_.end() || *place != offset) snapshots_.insert(place, offset);
  }
  for (const base::Offset offset : upkeep->obsolete_offsets) std::erase(snapshots_, offset);
}

base::Offset Log::recovery_point() {
  collect_upkeep();
  base::Offset point = durable_end_;
  // What recovery would not find in files must be scanned.
  for (std::size_t i = segments_.size() - 1; i > 0 && !segments_[i - 1]->sealed; --i) {
    point = std::min(point, segments_[i - 1]->base());
  }
  // Epochs that are not in their file yet are found again in the batches that began them.
  return epochs_unsaved_from_ ? std::min(point, *epochs_unsaved_from_) : point;
}

io::IoResult<void> Log::close() {
  CHECK(!closed_);
  if (auto may = may_append(); !may) return may;
  stop_compaction();
  if (upkeep_) upkeep_->finish();
  // Nothing was ever written: the next process finds what this one made. The end of a node with
  // many such partitions would else be a long row of syncs.
  if (end_ == base::Offset(0) && segments_.size() == 1 && !active().exists && !names_dirty_) {
    closed_ = true;
    return {};
  }
  if (auto there = ensure_file(active()); !there) return there;
  FlushBatch batch = take_unflushed();
  if (failed_) return std::unexpected(*failed_);
  auto synced = batch.sync(services_.disk);
  if (!synced) return std::unexpected(fail(synced.error()));
  mark_flushed(batch);
  if (upkeep_) upkeep_->finish();  // taken along just now; the one made here does it all
  collect_upkeep();
  upkeep_ = make_upkeep(ActiveIndexes::kClosing);
  if (auto ran = upkeep_->run(services_.disk); !ran) return std::unexpected(fail(ran.error()));
  if (upkeep_->state.load() == Upkeep::State::kSkipped) {
    upkeep_.reset();
    return io::io_failure(ENOSPC, directory_ + ": no space to write the indexes");
  }
  collect_upkeep();
  closed_ = true;
  return {};
}

}  // namespace broker
