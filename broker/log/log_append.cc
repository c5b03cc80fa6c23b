// Appending to a log: offsets, rolls, one write per segment, and taking it all back when the disk
// is full.
#include <algorithm>
#include <functional>

#include "broker/log/full_disk.h"
#include "broker/log/log.h"
#include "common/base/check.h"
#include "common/base/random.h"

namespace broker {

struct Log::Share {
  std::shared_ptr<Segment> segment;
  bool created = false;   // by this append
  std::size_t first = 0;  // index of its first batch
  Segment::Mark before;   // what the segment was like
};

struct Log::Append {
  std::span<const base::BytesView> batches;
  std::vector<Share> shares;
  base::Offset end{0};  // of what has been placed
  std::uint64_t bytes = 0;
};

io::IoResult<void> Log::may_append() const {
  if (failed_) return std::unexpected(*failed_);
  if (services_.health.failed()) return std::unexpected(*services_.health.reason());
  if (closed_) return io::io_failure(EBADF, directory_ + ": the log is closed");
  return {};
}

io::IoResult<AppendResult> Log::append(std::span<const base::MutableBytes> batches,
                                       base::LeaderEpoch leader_epoch, base::WallMs now) {
  if (auto may = may_append(); !may) return std::unexpected(may.error());
  std::vector<base::BytesView> views;
  views.reserve(batches.size());
  base::Offset next = end_;
  for (const base::MutableBytes& batch : batches) {
    const auto view = record::BatchView::parse(batch);
    if (!view || view->last_offset_delta() < 0) {
      return io::io_failure(EINVAL, directory_ + ": not a record batch");
    }
    record::set_base_offset(batch, next);
    record::set_leader_epoch(batch, leader_epoch);
    next = next + view->last_offset_delta() + 1;
    views.push_back(view->bytes());
  }
  return append_stamped(views, now);
}

io::IoResult<AppendResult> Log::append_as_follower(std::span<const base::BytesView> batches,
                                                   base::WallMs now) {
  if (auto may = may_append(); !may) return std::unexpected(may.error());
  base::Offset next = end_;
  for (const base::BytesView& batch : batches) {
    const auto view = record::BatchView::parse(batch);
    if (!view || view->last_offset_delta() < 0) {
      return io::io_failure(EINVAL, directory_ + ": not a record batch");
    }
    if (view->base_offset() < next) {
      return io::io_failure(EINVAL, directory_ + ": offset " +
                                        std::to_string(view->base_offset().value()) +
                                        " is below the end " + std::to_string(next.value()));
    }
    next = view->next_offset();
  }
  return append_stamped(batches, now);
}

io::IoResult<AppendResult> Log::append_stamped(std::span<const base::BytesView> batches,
                                               base::WallMs now) {
  for (const base::BytesView& batch : batches) {
    if (batch.size() > config_.segment_bytes) {
      return io::io_failure(EMSGSIZE, directory_ + ": a batch of " + std::to_string(batch.size()) +
                                          " bytes is larger than a segment");
    }
  }
  if (batches.empty()) return AppendResult{.first = end_, .end = end_};
  Append append{.batches = batches, .end = end_};
  append.shares.push_back({segments_.back(), false, 0, active().mark()});
  if (auto wrote = write_shares(append, now); !wrote) {
    const io::IoError error = wrote.error();
    const bool passes = is_full_disk(error);
    if (passes) services_.health.note_full();
    take_back(append);
    if (!passes && !failed_) return std::unexpected(fail(error));
    return std::unexpected(failed_ ? *failed_ : error);
  }
  AppendResult result{.first = record::BatchView::parse(batches.front())->base_offset(),
                      .bytes = append.bytes,
                      .rolled = append.shares.size() > 1};
  settle(append, now);
  result.end = end_;
  return result;
}

io::IoResult<void> Log::write_shares(Append& append, base::WallMs now) {
  for (std::size_t i = 0; i < append.batches.size(); ++i) {
    const auto batch = *record::BatchView::parse(append.batches[i]);
    if (must_roll(*append.shares.back().segment, batch, now)) {
      if (auto wrote = write_share(append, append.shares.back(), i); !wrote) return wrote;
      // The next segment starts where this one ends, even if the batch comes after a gap: so that
      // recovery can tell a gap that was given from one that a crash made. Unless the batch is too
      // far away for a relative offset.
      const bool far = batch.last_offset() - append.end > INT32_MAX;
      auto next = make_segment(far ? batch.base_offset() : append.end, now);
      next->created = now;
      segments_.push_back(next);
      append.shares.push_back({next, true, i, next->mark()});
    }
    Segment& segment = *append.shares.back().segment;
    segment.add_batch(batch, append.batches[i].size(), config_.index_interval_bytes);
    append.end = batch.next_offset();
  }
  return write_share(append, append.shares.back(), append.batches.size());
}

io::IoResult<void> Log::write_share(Append& append, Share& share, std::size_t end) {
  if (share.first == end) return {};
  Segment& segment = *share.segment;
  if (auto made = ensure_file(segment); !made) return made;
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  parts_.assign(append.batches.begin() + static_cast<std::ptrdiff_t>(share.first),
                append.batches.begin() + static_cast<std::ptrdiff_t>(end));
  if (auto wrote = (*file)->write_at(parts_, share.before.size); !wrote) return wrote;
  append.bytes += segment.size - share.before.size;
  return {};
}

// Everything as before the append: files cut, created ones removed. What cannot be undone ends the
// log, for what stands in the file is then unknown.
void Log::take_back(Append& append) {
  for (auto share = append.shares.rbegin(); share != append.shares.rend(); ++share) {
    Segment& segment = *share->segment;
    if (share->created) {
      CHECK(segments_.back() == share->segment);
      segments_.pop_back();
      if (!segment.exists || failed_) continue;
      segment.log_file().close();
      auto removed = services_.disk.remove(segment.path(".log"));
      if (!removed && removed.error().code != ENOENT) fail(removed.error());
      // Nothing may be acknowledged while a crash could bring the file back.
      names_dirty_ = true;
      ++names_version_;
      continue;
    }
    segment.rewind(share->before);
    if (!segment.exists || failed_) continue;
    auto file = segment.file();
    auto cut =
        file ? (*file)->truncate(segment.size) : io::IoResult<void>(std::unexpected(file.error()));
    if (!cut) fail(cut.error());
    ++segment.cuts;
  }
}

// The bytes are in the files: now everything else follows.
void Log::settle(Append& append, base::WallMs now) {
  std::size_t share = 0;
  std::uint64_t position = append.shares.front().before.size;
  for (std::size_t i = 0; i < append.batches.size(); ++i) {
    while (share + 1 < append.shares.size() && append.shares[share + 1].first == i) {
      ++share;
      Segment& rolled = *append.shares[share - 1].segment;
      rolled.add_final_time_entry();
      append.shares[share].segment->snapshot = producers_.encode_snapshot();
      position = 0;
      recent_.clear();
    }
    const auto batch = *record::BatchView::parse(append.batches[i]);
    recent_.add({.base_offset = batch.base_offset(),
                 .next_offset = batch.next_offset(),
                 .position = static_cast<std::uint32_t>(position),
                 .size = static_cast<std::uint32_t>(batch.total_size())});
    position += batch.total_size();
    const auto latest = epochs_.latest();
    if (!latest || *latest < batch.leader_epoch()) {
      assign_epoch(batch.leader_epoch(), batch.base_offset());
    }
    if (auto completed = producers_.apply(batch, now); completed && completed->aborted) {
      append.shares[share].segment->add_aborted(completed->index_entry());
    }
  }
  end_ = append.end;
  if (services_.debt != nullptr) services_.debt->add(append.bytes);
}

// Kafka's rules, in Kafka's order.
bool Log::must_roll(const Segment& segment, const record::BatchView& batch,
                    base::WallMs now) const {
  const bool far = batch.last_offset() - segment.base() > INT32_MAX;
  if (segment.size == 0 || far) return far;
  if (segment.size > config_.segment_bytes - batch.total_size()) return true;
  const bool timed = segment.first_batch_timestamp && *segment.first_batch_timestamp >= 0;
  const base::WallMs waited =
      timed ? batch.max_timestamp() - *segment.first_batch_timestamp : now - segment.created;
  if (waited > config_.roll_ms() - jitter_ms(segment)) return true;
  if (segment.offsets.count() >= config_.segment_index_bytes / OffsetEntry::kSize) return true;
  return segment.times.count() + 1 >= config_.segment_index_bytes / TimeEntry::kSize;
}

// Drawn anew for each segment, the same whenever it is asked for.
std::int64_t Log::jitter_ms(const Segment& segment) const {
  if (config_.segment_jitter_ms <= 0) return 0;
  const auto range =
      std::max<std::int64_t>(1, std::min(config_.segment_jitter_ms, config_.roll_ms()));
  const auto seed = std::hash<std::string>{}(directory_);
  base::Random random(seed ^ static_cast<std::uint64_t>(segment.base().value()));
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(range)));
}

}  // namespace broker
