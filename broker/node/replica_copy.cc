#include "broker/node/replica_copy.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "broker/node/hosting.h"
#include "common/base/check.h"
#include "common/base/mutant.h"
#include "common/record/batch_view.h"

namespace broker {
namespace {

// Read in one go.
constexpr std::uint32_t kPieceBytes = 1 << 20;
// So little is copied with the partition's lock held, from and to the page cache.
constexpr std::uint64_t kLastBytesMax = 1 << 20;
constexpr int kLastPiecesMax = 16;
// Not more of the copy is in the page cache alone.
constexpr std::uint64_t kFlushBytes = 4 << 20;
constexpr int kColdTriesMax = 3;

}  // namespace

ReplicaCopy::ReplicaCopy(std::shared_ptr<Partition> partition, LogStore& from, LogStore& to,
                         const Services& services, base::Random random)
    : partition_(std::move(partition)),
      from_(from),
      to_(to),
      services_(services),
      random_(random) {}

ReplicaCopy::~ReplicaCopy() = default;

// Without space it ends, too: a copy that waits would keep the disk full for all who are there.
ReplicaCopy::Step ReplicaCopy::failed(const io::IoError& error) {
  services_.diag.error("log", "a replica cannot be moved to another log directory",
                       {{"partition", partition_->name().to_string()},
                        {"to", to_.directory->path()},
                        {"stays_in", from_.directory->path()},
                        {"error", error.what}});
  return Step::kFailed;
}

ReplicaCopy::Step ReplicaCopy::step(std::int64_t bytes_max) {
  switch (phase_) {
    case Phase::kNew: {
      auto made = make();
      return made ? Step::kMore : failed(made.error());
    }
    case Phase::kCopying:
    case Phase::kPlaced: {
      const base::Offset before = future_.log->end_offset();
      auto done = copy(bytes_max);
      if (!done) return failed(done.error());
      if (obsolete_) return start_over();
      note_copy();
      const Step next = future_.log->end_offset() != before ? Step::kMore : Step::kWait;
      if (behind_ > future_.log->end_offset()) return next;
      if (phase_ == Phase::kPlaced) return exchange(next);
      if (done = place(); !done) return failed(done.error());
      phase_ = Phase::kPlaced;
      return Step::kMore;
    }
    case Phase::kExchanged: {
      std::lock_guard lock(services_.placement);
      return go_forward();
    }
    case Phase::kAdopted:
      return Step::kDone;
  }
  return Step::kFailed;
}

// Before the copy has filled the disk for everybody else there.
io::IoResult<void> ReplicaCopy::check_space() {
  const auto space = services_.disk.space(to_.directory->path());
  if (!space) return std::unexpected(space.error());
  const std::uint64_t whole = partition_->bounds().size_bytes;
  const std::uint64_t missing = whole - std::min<std::uint64_t>(whole, size_bytes_);
  if (missing <= space->free_bytes) return {};
  return io::io_failure(ENOSPC, "no space: " + std::to_string(missing) + " bytes are missing in " +
                                    to_.directory->path() + ", which has " +
                                    std::to_string(space->free_bytes) + " free");
}

io::IoResult<void> ReplicaCopy::make() {
  if (auto may = check_space(); !may) return may;
  piece_bytes_ = 1;
  auto first = look();
  if (!first) return std::unexpected(first.error());
  // The batch that the log starts in may begin before.
  const bool inside = first->slice.bytes.length > 0 && first->slice.base_offset < first->start;
  auto made = to_.directory->create_future(
      partition_->name(), partition_->topic_id(), inside ? first->slice.base_offset : first->start,
      log_config(*partition_->config()), services_.clock.wall_ms(), random_);
  if (!made) return std::unexpected(made.error());
  future_ = std::move(*made);
  truncations_ = first->truncations;
  phase_ = Phase::kCopying;
  return {};
}

// ---- copying

void ReplicaCopy::note_copy() {
  size_bytes_ = future_.log->size_bytes();
  end_ = future_.log->end_offset().value();
}

io::IoResult<ReplicaCopy::Piece> ReplicaCopy::next_piece(Log& from, bool may_block) const {
  Piece piece{.slice = {},
              .start = from.start_offset(),
              .end = from.end_offset(),
              .truncations = from.truncations()};
  const base::Offset copied = future_.log != nullptr ? future_.log->end_offset() : base::Offset(0);
  auto slice = from.read({.from = std::clamp(copied, piece.start, piece.end),
                          .upper_bound = piece.end,
                          .bytes_max = piece_bytes_,
                          .may_block = may_block});
  if (!slice) return std::unexpected(slice.error());
  piece.slice = std::move(*slice);
  return piece;
}

bool ReplicaCopy::goes_on(const Log& to, const Piece& piece) const {
  const bool is_empty = piece.start == piece.end;
  return piece.truncations == truncations_ && to.end_offset() >= piece.start &&
         (!is_empty || to.end_offset() == piece.end);
}

// What is copied is of no use any more: the log was cut, or begins behind it. Not by cutting the
// copy: of a log that could not be cut for want of space nothing is known.
ReplicaCopy::Step ReplicaCopy::start_over() {
  auto done = to_.directory->discard_future(future_, random_);
  if (!done) return failed(done.error());
  phase_ = Phase::kNew;
  size_bytes_ = 0;
  return Step::kMore;
}

io::IoResult<void> ReplicaCopy::append(Log& to, base::BytesView bytes) {
  std::vector<base::BytesView> batches;
  record::BatchReader reader(bytes);
  std::size_t largest = 0;
  while (auto batch = reader.next()) {
    if (batch->base_offset() < to.end_offset()) continue;
    if (!batch->crc_ok()) {
      return io::io_failure(EBADMSG, to.directory() + ": a damaged batch at offset " +
                                         std::to_string(batch->base_offset().value()) +
                                         " is not copied");
    }
    largest = std::max(largest, batch->total_size());
    batches.push_back(batch->bytes());
  }
  if (batches.empty()) return {};
  const LogConfig config = to.config();
  if (largest > config.segment_bytes) {
    // From when segments could be larger.
    LogConfig wide = config;
    wide.segment_bytes = largest;
    to.set_config(wide);
  }
  auto appended = to.append_as_follower(batches, services_.clock.wall_ms());
  to.set_config(config);
  if (!appended) return std::unexpected(appended.error());
  copied_bytes_ += appended->bytes;
  return {};
}

io::IoResult<void> ReplicaCopy::take(Log& to, const Piece& piece) {
  if (piece.slice.bytes.length > 0) {
    base::Bytes bytes(piece.slice.bytes.length);
    auto got = piece.slice.bytes.file->read_at(bytes, piece.slice.bytes.position);
    if (!got) return std::unexpected(got.error());
    bytes.resize(*got);
    // Cut meanwhile: the bytes may be anything. The next piece starts over.
    const auto now = partition_->with_log([](Log& log) { return log.truncations(); });
    if (now != piece.truncations) return {};
    if (auto done = append(to, bytes); !done) return done;
  }
  const base::Offset start = std::min(piece.start, to.end_offset());
  if (start <= to.start_offset()) return {};
  if (auto moved = to.advance_start(start); !moved) return moved;
  // A crash throws the copy away: the start of it need not be durable.
  to.mark_start_durable(start);
  return to.take_removals().remove_all(services_.disk);
}

io::IoResult<void> ReplicaCopy::copy(std::int64_t bytes_max) {
  piece_bytes_ =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(bytes_max, 1, std::int64_t{kPieceBytes}));
  const std::uint64_t until =
      copied_bytes_ + static_cast<std::uint64_t>(std::max<std::int64_t>(bytes_max, 1));
  while (copied_bytes_ < until) {
    auto piece = look();
    if (!piece) return std::unexpected(piece.error());
    obsolete_ = !goes_on(*future_.log, *piece);
    if (obsolete_) return {};
    behind_ = piece->end;
    const base::Offset before = future_.log->end_offset();
    if (auto done = take(*future_.log, *piece); !done) return done;
    if (future_.log->end_offset() == before || future_.log->end_offset() >= behind_) break;
  }
  if (copied_bytes_ - flushed_bytes_ < kFlushBytes) return {};
  return flush();
}

// Readers and writers of the partition do not wait for the medium.
io::IoResult<ReplicaCopy::Piece> ReplicaCopy::look() {
  for (int i = 0;; ++i) {
    auto piece =
        partition_->with_log([&](Log& log) { return next_piece(log, i >= kColdTriesMax); });
    if (!piece || !piece->slice.cold) return piece;
    piece->slice.bytes.file->prefetch(piece->slice.bytes.position, piece->slice.bytes.length);
  }
}

// What is in the page cache of the new disk is bounded by a step.
io::IoResult<void> ReplicaCopy::flush() {
  flushed_bytes_ = copied_bytes_;
  const FlushBatch batch = future_.log->take_unflushed();
  if (future_.log->failed()) return std::unexpected(*future_.log->failed());
  auto done = batch.sync(services_.disk);
  if (done) future_.log->mark_flushed(batch);
  if (done && batch.upkeep) done = batch.upkeep->run(services_.disk);
  if (!done && !is_full_disk(done.error())) to_.directory->health().fail(done.error());
  return done ? check_space() : done;
}

io::IoResult<void> ReplicaCopy::place() {
  return to_.directory->place_future(future_, from_.id(), services_.clock.wall_ms());
}

// ---- taking the log's place

// Under the partition's lock: what came since the last look.
bool ReplicaCopy::complete(Log& from, Log& to) {
  piece_bytes_ = kPieceBytes;
  if (from.truncations() != truncations_) return false;
  const std::uint64_t until = copied_bytes_ + kLastBytesMax;
  for (int i = 0; i < kLastPiecesMax && copied_bytes_ <= until; ++i) {
    auto piece = next_piece(from, false);
    if (!piece || piece->slice.cold || to.end_offset() < piece->start) return false;
    const base::Offset before = to.end_offset();
    if (piece->slice.bytes.length > 0) {
      base::Bytes bytes(piece->slice.bytes.length);
      const auto got = piece->slice.bytes.file->read_cached_at(bytes, piece->slice.bytes.position);
      if (!got) return false;
      bytes.resize(*got);
      if (!append(to, bytes)) return false;
    }
    if (to.end_offset() == from.end_offset()) {
      return to.start_offset() >= from.start_offset() ||
             to.advance_start(from.start_offset()).has_value();
    }
    if (to.end_offset() == before) return false;
  }
  return false;
}

ReplicaCopy::Step ReplicaCopy::exchange(Step otherwise) {
  std::lock_guard lock(services_.placement);
  const bool done =
      partition_->exchange_log(future_.log, *to_.directory, to_.flusher,
                               [this](Log& from, Log& to) { return complete(from, to); });
  if (!done) return otherwise;
  exchanged_ = true;
  phase_ = Phase::kExchanged;
  // It has no names soon.
  future_.log->stop_compaction();
  future_.log.reset();
  return go_forward();
}

ReplicaCopy::Step ReplicaCopy::go_forward() {
  const auto settled = settle();
  if (settled) return *settled ? leave_origin() : Step::kWait;
  to_.directory->health().fail(settled.error());
  settled_ = true;
  partition_->settle_exchange(false);
  return Step::kBroken;
}

// Everything in the new directory is durable, as far as the old one was and further. False: there
// is no space to make it so.
io::IoResult<bool> ReplicaCopy::flush_exchanged() {
  if (MUTANT("move-counts-before-flush")) return true;
  FlushBatch batch;
  const auto upkeep = partition_->with_log([&](Log& log) {
    auto all = log.take_checkpoint(0);
    batch = log.take_unflushed();
    return all;
  });
  if (upkeep == nullptr) return io::io_failure(EIO, "the copy cannot be written to");
  if (auto synced = batch.sync(services_.disk); !synced) return std::unexpected(synced.error());
  partition_->with_log([&](Log& log) { log.mark_flushed(batch); });
  if (auto ran = upkeep->run(services_.disk); !ran) return std::unexpected(ran.error());
  return upkeep->state == Upkeep::State::kDone;
}

io::IoResult<bool> ReplicaCopy::settle() {
  auto flushed = flush_exchanged();
  if (!flushed || !*flushed) return flushed;
  LogDirectory& directory = *to_.directory;
  const PartitionName name = partition_->name();
  const base::Offset visible = partition_->bounds().visible;
  base::Offset start;
  partition_->with_log([&](Log& log) {
    start = log.start_offset();
    directory.note_start(name, start);
    directory.note_recovery_point(name, log.recovery_point());
    directory.note_high_watermark(name, std::min(visible, log.end_offset()));
  });
  auto done = directory.write_starts();
  if (done) done = directory.write_recovery_points();
  if (done) done = directory.write_high_watermarks();
  if (done) done = directory.adopt_placed(name, from_.id());
  if (!done && is_full_disk(done.error())) return false;
  if (!done) return std::unexpected(done.error());
  partition_->with_log([&](Log& log) { log.mark_start_durable(start); });
  return true;
}

// The new directory counts. If the old one cannot be left properly it has failed, and the mark says
// at the next start what is right.
ReplicaCopy::Step ReplicaCopy::leave_origin() {
  phase_ = Phase::kAdopted;
  auto trash = from_.directory->delete_partition(partition_->name(), random_);
  if (!trash) {
    from_.directory->health().fail(trash.error());
  } else {
    trash_ = std::move(*trash);
    --from_.partitions;
    if (auto done = to_.directory->forget_origin(partition_->name()); !done) {
      services_.diag.warn(
          "log", "the mark of a move could not be removed",
          {{"partition", partition_->name().to_string()}, {"error", done.error().what}});
    }
  }
  settled_ = true;
  partition_->settle_exchange(true);
  return Step::kDone;
}

void ReplicaCopy::give_up() {
  if (phase_ == Phase::kExchanged) partition_->settle_exchange(false);
}

void ReplicaCopy::discard() {
  CHECK(!exchanged_);
  if (phase_ == Phase::kNew || to_.failed()) return;
  if (auto done = to_.directory->discard_future(future_, random_); !done) {
    services_.diag.warn("log", "a copy could not be removed",
                        {{"directory", future_.path}, {"error", done.error().what}});
  }
}

}  // namespace broker
