// Steps of LogWorkload other than appending and flushing: checkpoints, what leaves at the front and
// at the end, a full disk, a clean end.
#include <algorithm>
#include <cerrno>

#include "tests/sim/disk/log_session.h"

namespace sim {

using broker::Log;

// At times as the chore does for all logs of a directory: first what recovery is spared then.
LogWorkload::Step LogWorkload::checkpoint() {
  if (random_.chance(1, 2)) {
    if (const auto upkeep = session_->log->take_checkpoint(1)) {
      auto ran = broker::Upkeep::run_together(*wrapped_, kWorkloadPath, {&upkeep, 1});
      if (!ran) return ran;
    }
  }
  base::Offset point = session_->log->recovery_point();
  if (mutant_ == Mutant::kRecoveryPointAhead) point = session_->log->end_offset();
  session_->directory->note_recovery_point(kWorkloadName, point);
  auto wrote = session_->directory->write_recovery_points();
  if (!wrote && wrote.error().code == ENOSPC) return {};
  return wrote;
}

LogWorkload::Step LogWorkload::delete_records() {
  Log& log = *session_->log;
  const auto start = log.start_offset().value();
  const auto bound = log.durable_end().value();
  if (bound <= start) return {};
  return advance(base::Offset(random_.between(start, bound + 1)));
}

LogWorkload::Step LogWorkload::retain() {
  Log& log = *session_->log;
  // Once in a while everything is too old.
  const base::WallMs now = random_.chance(1, 4) ? now_ + 1'000'000 : now_;
  return advance(log.retention_start(now, log.durable_end()));
}

LogWorkload::Step LogWorkload::advance(base::Offset to) {
  Log& log = *session_->log;
  if (to <= log.start_offset()) return {};
  if (auto moved = log.advance_start(to); !moved) return moved;
  model_.start = to.value();
  session_->directory->note_start(kWorkloadName, to);
  if (mutant_ != Mutant::kStartNotWritten) {
    auto wrote = session_->directory->write_starts();
    if (!wrote && wrote.error().code == ENOSPC) return {};
    if (!wrote) return wrote;
  }
  model_.acknowledged_start = to.value();
  log.mark_start_durable(to);
  broker::Removal removal = log.take_removals();
  if (auto renamed = removal.rename_all(*wrapped_); !renamed) return renamed;
  session_->removals.push_back(std::move(removal));
  return {};
}

LogWorkload::Step LogWorkload::remove_files() {
  for (const broker::Removal& removal : session_->removals) {
    if (auto removed = removal.remove_all(*wrapped_); !removed) return removed;
  }
  session_->removals.clear();
  return {};
}

LogWorkload::Step LogWorkload::truncate() {
  Log& log = *session_->log;
  const auto start = log.start_offset().value();
  if (log.end_offset().value() <= start) return {};
  std::int64_t to = random_.between(start, log.end_offset().value());
  // To where a batch begins, as epochs do.
  const auto slice = log.read({.from = base::Offset(to),
                               .upper_bound = log.end_offset(),
                               .bytes_max = 1,
                               .may_block = true});
  if (!slice) return std::unexpected(slice.error());
  const std::int64_t first = slice->base_offset.value();
  to = std::max(first, start);
  if (mutant_ != Mutant::kTruncateUnderCheckpoint) {
    session_->directory->note_recovery_point(kWorkloadName,
                                             std::min(log.recovery_point(), base::Offset(to)));
    auto wrote = session_->directory->write_recovery_points();
    if (!wrote) return wrote;
  }
  // Whatever happens from here on, what is above may be gone.
  model_.acknowledged_end = std::min(model_.acknowledged_end, to);
  // Cutting the batch that the start lies in makes the log start over.
  const bool starts_over = first < start;
  if (starts_over) model_.reset_to = to;
  if (auto cut = log.truncate_to(base::Offset(to), now_); !cut) return cut;
  model_.end = log.end_offset().value();
  if (model_.end > to) return io::io_failure(EIO, "truncation left too much");
  model_.batches.erase(model_.batches.lower_bound(model_.end), model_.batches.end());
  if (starts_over) {
    model_.reset_to.reset();
    model_.batches.clear();
    model_.base = to;
  }
  adopt_producers(log);
  return {};
}

LogWorkload::Step LogWorkload::truncate_fully() {
  Log& log = *session_->log;
  session_->directory->note_recovery_point(kWorkloadName, base::Offset(0));
  if (auto wrote = session_->directory->write_recovery_points(); !wrote) return wrote;
  const base::Offset to = log.end_offset() + 10;
  model_.acknowledged_end = 0;
  model_.reset_to = to.value();
  // A leader whose log starts above our end: its start is ours.
  if (auto cut = log.truncate_fully_and_start_at(to, now_); !cut) return cut;
  session_->directory->note_start(kWorkloadName, to);
  if (auto wrote = session_->directory->write_starts(); !wrote) return wrote;
  model_.acknowledged_start = model_.acknowledged_end = to.value();
  model_.start = model_.end = model_.base = to.value();
  model_.reset_to.reset();
  model_.batches.clear();
  producers_.clear();
  return {};
}

// A few appends with little room, then room again.
LogWorkload::Step LogWorkload::fill_disk() {
  const auto space = disk_.space(kWorkloadPath);
  disk_.faults.capacity_bytes = space->total_bytes - space->free_bytes + random_.below(400);
  for (int i = 0; i < 3; ++i) {
    const Step done = random_.chance(1, 3) ? flush() : append();
    if (!done) return done;
    if (auto ran = run_upkeep(); !ran) return ran;
  }
  disk_.faults.capacity_bytes.reset();
  return {};
}

LogWorkload::Step LogWorkload::restart_cleanly() {
  Log& log = *session_->log;
  if (auto closed = log.close(); !closed) return closed;
  model_.acknowledged_end = std::max(model_.acknowledged_end, model_.end);
  session_->directory->note_recovery_point(kWorkloadName, log.recovery_point());
  session_->directory->note_start(kWorkloadName, log.start_offset());
  auto closed = session_->directory->close_clean(base::BrokerEpoch(-1));
  if (!closed) return closed;
  session_.reset();
  return {};
}

}  // namespace sim
