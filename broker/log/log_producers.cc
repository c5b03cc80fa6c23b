// Producer state of a log from its files: the newest snapshot that reads, then what was written
// since.
#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "broker/log/batch_scanner.h"
#include "broker/log/log.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {
namespace {

// How far back retries are looked for: a producer has at most five batches on their way.
constexpr std::uint64_t kRecalledBytes = 1 << 20;

}  // namespace

// The newest snapshot at or below `limit`, in a file or waiting to be written. Returns the offset
// that the producers stand at.
io::IoResult<base::Offset> Log::load_newest_snapshot(base::Offset limit, base::WallMs now) {
  std::map<base::Offset, const base::Bytes*> candidates;
  for (const base::Offset offset : snapshots_) candidates[offset] = nullptr;
  for (const auto& segment : segments_) {
    if (segment->snapshot) candidates[segment->base()] = &*segment->snapshot;
  }
  for (auto it = candidates.rbegin(); it != candidates.rend(); ++it) {
    if (it->first > limit) continue;
    const std::string path = segment_path(directory_, it->first, ".snapshot");
    std::string text;
    base::BytesView content;
    if (it->second) {
      content = *it->second;
    } else {
      auto read = services_.disk.read_file(path);
      if (!read && read.error().code != ENOENT) return std::unexpected(read.error());
      if (!read) continue;
      text = std::move(*read);
      content = base::as_bytes(text);
    }
    auto loaded = producers_.load_snapshot(content, it->first, now);
    if (loaded) return it->first;
    services_.diag.warn("log", "a producer snapshot does not read",
                        {{"path", path}, {"why", loaded.error()}});
  }
  const base::Offset first = segments_.front()->base();
  producers_.reset(first);
  return first;
}

io::IoResult<void> Log::rebuild_producers(base::Offset missing_from, base::WallMs now) {
  auto from = load_newest_snapshot(std::min(missing_from, end_), now);
  if (!from) return std::unexpected(from.error());
  if (auto done = recall_batches(*from); !done) return done;
  for (std::size_t i = index_of(*from); i < segments_.size(); ++i) {
    if (auto done = replay(i, *from, missing_from, now); !done) return done;
  }
  producers_.advance_end_offset(end_);
  producers_.on_log_start(start_);
  return {};
}

// A snapshot holds the last batch of each producer; a retry may be of the four before it.
io::IoResult<void> Log::recall_batches(base::Offset before) {
  if (producers_.size() == 0 || MUTANT("log-forgets-batches-before-snapshot")) return {};
  std::uint64_t left = kRecalledBytes;
  for (std::size_t i = segments_.size(); i-- > 0 && left > 0;) {
    const Segment& segment = *segments_[i];
    if (segment.base() >= before || segment.size == 0) continue;
    if (auto done = recall_segment(segment, before, left); !done) return done;
    left -= std::min(left, segment.size);
  }
  return {};
}

// About the last `bytes` of the segment below `before`.
io::IoResult<void> Log::recall_segment(const Segment& segment, base::Offset before,
                                       std::uint64_t bytes) {
  base::Offset from = segment.base();
  if (segment.size > bytes) {
    const auto share = static_cast<double>(bytes) / static_cast<double>(segment.size);
    from = before - static_cast<std::int64_t>(share * static_cast<double>(before - from));
  }
  auto start = locate(segment, segment.size, from, Wait::kMayBlock);
  if (!start) return std::unexpected(start.error());
  if (!start->value) return {};
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  struct Found {
    base::ProducerId producer_id;
    base::ProducerEpoch producer_epoch;
    ProducerBatch batch;
  };
  std::vector<Found> found;
  BatchScanner scanner(**file, start->value->position, segment.size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item || (*item)->view.next_offset() > before) break;
    const record::BatchView& batch = (*item)->view;
    if (!batch.has_producer_id() || batch.is_control()) continue;
    found.push_back({batch.producer_id(),
                     batch.producer_epoch(),
                     {.last_sequence = batch.last_sequence(),
                      .last_offset = batch.last_offset(),
                      .offset_delta = batch.last_offset_delta(),
                      .timestamp = batch.max_timestamp()}});
  }
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    producers_.recall(it->producer_id, it->producer_epoch, it->batch);
  }
  return {};
}

io::IoResult<void> Log::replay(std::size_t index, base::Offset from, base::Offset missing_from,
                               base::WallMs now) {
  Segment& segment = *segments_[index];
  // A rolled segment that is not sealed yet still owes the snapshot at its end.
  const bool owes = index > 0 && !segments_[index - 1]->sealed && segment.base() >= from &&
                    std::ranges::find(snapshots_, segment.base()) == snapshots_.end();
  if (owes) {
    producers_.advance_end_offset(segment.base());
    segment.snapshot = producers_.encode_snapshot();
  }
  if (segment.size == 0 || end_of(index) <= from) return {};
  auto found = locate(segment, segment.size, from, Wait::kMayBlock);
  if (!found) return std::unexpected(found.error());
  if (!found->value) return {};
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  BatchScanner scanner(**file, found->value->position, segment.size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item) break;
    const record::BatchView& batch = (*item)->view;
    if (batch.base_offset() < from) continue;
    auto completed = producers_.apply(batch, now);
    if (completed && completed->aborted && !segment.sealed &&
        completed->last_offset >= missing_from) {
      segment.add_aborted(completed->index_entry());
    }
  }
  if (scanner.why().empty()) return {};
  return io::io_failure(EBADMSG, segment.path(".log") + ": " + scanner.why());
}

void Log::take_over(Log& from) {
  CHECK(end_ == from.end_);
  collect_upkeep();
  epochs_ = from.epochs_;
  ++epochs_version_;
  epochs_unsaved_from_ = start_;
  producers_ = std::move(from.producers_);
  truncations_ = from.truncations_ + 1;
}

}  // namespace broker
