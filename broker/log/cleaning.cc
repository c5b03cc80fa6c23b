#include "broker/log/cleaning.h"

#include <algorithm>
#include <cerrno>

namespace broker {
namespace {

constexpr std::size_t kWriteBytes = 1 << 20;

io::IoError unreadable(const Segment& segment, const std::string& why) {
  return {EBADMSG, segment.path(".log") + ": " + why};
}

// Of the memory of a round, the part that notes which offsets stay: a bit for each. With records of
// 100 bytes it is a 64th of what a map for as many keys would take.
std::uint64_t newest_bytes(const Cleaning::Options& options) { return options.keys.bytes_max / 16; }

KeyMap::Options keys_of(const Cleaning::Options& options) {
  KeyMap::Options keys = options.keys;
  keys.bytes_max -= newest_bytes(options);
  return keys;
}

}  // namespace

// The segment that is being written.
struct Cleaning::Output {
  std::shared_ptr<SegmentSwap> swap;
  std::shared_ptr<io::File> file;
  std::uint64_t written = 0;  // in the file
  std::uint64_t input_bytes = 0;
  std::uint64_t growth_left = 0;
  base::Offset end;
  base::Bytes buffer;  // what comes behind `written`
};

Cleaning::Cleaning(std::shared_ptr<CleanableLog> log, io::Disk& disk, FileCache& files,
                   CompactionView view, const DirtyRange& dirty, const Options& options)
    : log_(std::move(log)),
      disk_(disk),
      files_(files),
      view_(std::move(view)),
      dirty_(dirty),
      options_(options),
      keys_(keys_of(options)),
      indexer_(keys_, dirty.start, options.batch_bytes_max) {
  while (segment_ < view_.facts.size() && view_.facts[segment_].end <= dirty_.start) ++segment_;
}

Cleaning::~Cleaning() = default;

void Cleaning::abandon() {
  if (output_) output_->swap->drop(disk_);
}

CompactStats Cleaning::stats() const {
  CompactStats stats = filter_ ? filter_->stats() : CompactStats{};
  stats.keys = keys_.size();
  return stats;
}

io::IoResult<Cleaning::Progress> Cleaning::step(std::uint64_t bytes) {
  step_bytes_ = 0;
  auto went = filter_ ? copy_some(bytes) : index_some(bytes);
  if (!went) return std::unexpected(went.error());
  return done_ ? Progress::kDone : Progress::kMore;
}

// ---- reading

io::IoResult<std::vector<AbortedTxn>> Cleaning::aborted_in(std::size_t index) {
  io::IoResult<std::vector<AbortedTxn>> found;
  log_->with_log([&](Log& log) {
    found = log.aborted_transactions(view_.facts[index].base, view_.facts[index].end);
  });
  return found;
}

io::IoResult<bool> Cleaning::open_segment(std::size_t index) {
  auto aborted = aborted_in(index);
  if (!aborted) return std::unexpected(aborted.error());
  (filter_ ? filter_->txns() : indexer_.txns()).add_aborted(*aborted);
  auto file = view_.segments[index]->file();
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  scanner_.emplace(*file_, 0, view_.facts[index].size);
  return true;
}

// The next batch of the segment at hand, whole; nothing at its end.
io::IoResult<std::optional<record::BatchView>> Cleaning::next_batch() {
  auto item = scanner_->next();
  if (!item) return std::unexpected(item.error());
  const Segment& segment = *view_.segments[segment_];
  if (!*item) {
    if (!scanner_->why().empty()) return std::unexpected(unreadable(segment, scanner_->why()));
    return std::nullopt;
  }
  step_bytes_ += (*item)->size;
  std::optional<record::BatchView> batch = (*item)->view;
  if (!(*item)->is_whole) {
    auto whole = scanner_->read_whole(**item, options_.batch_bytes_max);
    if (!whole) return std::unexpected(whole.error());
    large_ = std::move(*whole);
    const auto parsed = record::BatchView::parse(large_);
    if (!parsed) return std::unexpected(unreadable(segment, "a batch changed"));
    batch = *parsed;
  }
  if (batch->last_offset_delta() < 0 || !batch->crc_ok()) {
    return std::unexpected(unreadable(
        segment, "damaged batch at offset " + std::to_string(batch->base_offset().value())));
  }
  return batch;
}

// ---- first pass

io::IoResult<void> Cleaning::index_some(std::uint64_t bytes) {
  while (step_bytes_ < bytes) {
    const bool more = segment_ < view_.facts.size() && view_.facts[segment_].base < dirty_.end;
    if (!more) {
      indexer_.advance_end(dirty_.end);
      begin_copying();
      return {};
    }
    if (!scanner_) {
      if (auto opened = open_segment(segment_); !opened) return std::unexpected(opened.error());
    }
    auto batch = next_batch();
    if (!batch) return std::unexpected(batch.error());
    if (!*batch) {
      // Offsets that are gone count as looked at.
      indexer_.advance_end(std::min(view_.facts[segment_].end, dirty_.end));
      scanner_.reset();
      ++segment_;
      continue;
    }
    if ((*batch)->base_offset() >= dirty_.end) {
      scanner_.reset();
      segment_ = view_.facts.size();
      continue;
    }
    auto added = indexer_.add(**batch);
    if (!added) return std::unexpected(unreadable(*view_.segments[segment_], added.error()));
    if (!*added) {
      begin_copying();
      return {};
    }
  }
  return {};
}

void Cleaning::begin_copying() {
  const base::Offset end = std::min(indexer_.end(), dirty_.end);
  const std::uint64_t bytes_max = std::min<std::uint64_t>(options_.segment_bytes, INT32_MAX);
  groups_ = group_segments(view_.facts, end, bytes_max, options_.group_segments_max);
  LastOfProducers last;
  log_->with_log([&](Log& log) { last = log.last_of_producers(); });
  filter_.emplace(keys_,
                  CompactFilter::Options{.map_end = end,
                                         .now = options_.now,
                                         .delete_retention_ms = options_.delete_retention_ms,
                                         .batch_bytes_max = options_.batch_bytes_max,
                                         .map_start = dirty_.start,
                                         .newest_bytes_max = newest_bytes(options_)},
                  std::move(last));
  scanner_.reset();
  done_ = groups_.empty();
}

// ---- second pass

io::IoResult<void> Cleaning::begin_group() {
  const SegmentGroup& group = groups_[group_];
  output_ = std::make_unique<Output>();
  std::vector<std::shared_ptr<Segment>> olds;
  for (std::size_t i = group.first; i < group.end; ++i) {
    olds.push_back(view_.segments[i]);
    output_->input_bytes += view_.facts[i].size;
  }
  output_->end = view_.facts[group.end - 1].end;
  output_->growth_left = output_->input_bytes < INT32_MAX ? INT32_MAX - output_->input_bytes : 0;
  output_->swap = std::make_shared<SegmentSwap>(files_, olds.front()->directory(), std::move(olds));
  auto file = output_->swap->create(disk_);
  if (!file) return std::unexpected(file.error());
  output_->file = std::move(*file);
  segment_ = group.first;
  return {};
}

io::IoResult<void> Cleaning::copy_some(std::uint64_t bytes) {
  while (!done_ && step_bytes_ < bytes) {
    if (!output_) {
      if (auto begun = begin_group(); !begun) return begun;
    }
    if (!scanner_) {
      if (auto opened = open_segment(segment_); !opened) return std::unexpected(opened.error());
    }
    auto batch = next_batch();
    if (!batch) return std::unexpected(batch.error());
    if (!*batch) {
      scanner_.reset();
      if (++segment_ < groups_[group_].end) continue;
      if (auto ended = end_group(); !ended) return ended;
      continue;
    }
    auto kept = filter_->filter(**batch, output_->end, output_->growth_left);
    if (!kept) {
      return std::unexpected(unreadable(*view_.segments[segment_], kept.error()));
    }
    if (kept->size() > (*batch)->total_size()) {
      output_->growth_left -= kept->size() - (*batch)->total_size();
    }
    Segment& fresh = *output_->swap->fresh();
    for (const AbortedTxn& txn : filter_->txns().take_kept()) fresh.add_aborted(txn);
    if (kept->empty()) continue;
    if (auto wrote = write(*kept); !wrote) return wrote;
  }
  return {};
}

io::IoResult<void> Cleaning::write(base::BytesView batch) {
  Segment& fresh = *output_->swap->fresh();
  const auto view = record::BatchView::parse(batch);
  if (!view || fresh.size + batch.size() > INT32_MAX) {
    return io::io_failure(EFBIG, fresh.path(".log") + ": the compacted segment is too large");
  }
  fresh.add_batch(*view, batch.size(), options_.index_interval_bytes);
  output_->buffer.insert(output_->buffer.end(), batch.begin(), batch.end());
  return output_->buffer.size() >= kWriteBytes ? write_out() : io::IoResult<void>();
}

io::IoResult<void> Cleaning::write_out() {
  if (output_->buffer.empty()) return {};
  auto wrote = output_->file->write_at(base::BytesView(output_->buffer), output_->written);
  if (!wrote) return wrote;
  step_bytes_ += output_->buffer.size();
  output_->written += output_->buffer.size();
  output_->buffer.clear();
  return {};
}

io::IoResult<void> Cleaning::end_group() {
  if (auto wrote = write_out(); !wrote) return wrote;
  output_->file.reset();
  SegmentSwap& swap = *output_->swap;
  if (auto prepared = swap.prepare(disk_); !prepared) return prepared;
  // What replaces durable records must never be looked at again by a scan that expects them all.
  if (auto secured = options_.secure(output_->end); !secured) return secured;
  bool begun = false;
  log_->with_log([&](Log& log) { begun = log.begin_swap(output_->swap); });
  if (!begun) return io::io_failure(ECANCELED, "the log has changed");
  auto ran = swap.run(disk_);
  log_->with_log([](Log& log) { log.collect_swap(); });
  if (!ran) return ran;
  output_.reset();
  done_ = ++group_ == groups_.size();
  return {};
}

}  // namespace broker
