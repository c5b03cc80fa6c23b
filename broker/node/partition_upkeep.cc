// A partition's flushes, its bounds, its configuration and its end.
#include <utility>

#include "broker/node/partition.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

// ---- flushing

FlushBatch Partition::take_unflushed(const Flusher& by) {
  std::lock_guard lock(mutex_);
  ++works_under_way_;
  // A cut makes durable what it leaves. The flusher of a directory that the log has left must not
  // call anything durable.
  const bool quiet = closed_ != ErrorCode::kNone || cutting_ || settling_;
  return quiet || &by != flusher_ ? FlushBatch() : log_->take_unflushed();
}

void Partition::flushed(const FlushBatch& batch, const io::IoResult<void>& result) {
  Woken woken;
  {
    std::unique_lock lock(mutex_);
    cut_ended_.wait(lock, [&] { return !cutting_; });
    // A request that is refused, as the directory has failed, took nothing before.
    CHECK(works_under_way_ > 0 || !result);
    if (works_under_way_ > 0) work_ended_locked();
    if (closed_ != ErrorCode::kNone) return;  // every waiter has been told
    if (result) {
      log_->mark_flushed(batch);
      woken = settle_locked();
    } else {
      // Nothing that waits will ever be known to be durable.
      take_locked(
          woken, MUTANT("node-acks-failed-sync") ? ErrorCode::kNone : ErrorCode::kKafkaStorageError,
          [](const Waiter& waiter) {
            return waiter.wanted == Wanted::kCommitted || waiter.wanted == Wanted::kDurable;
          });
    }
  }
  tell(std::move(woken));
}

void Partition::work_ended_locked() {
  if (works_under_way_ > 0) --works_under_way_;
  if (works_under_way_ > 0 || settling_ || !on_quiet_) return;
  quiet_home_->post(std::exchange(on_quiet_, nullptr));
}

// ---- the rest

Partition::Bounds Partition::bounds() {
  std::lock_guard lock(mutex_);
  return cutting_ ? bounds_before_cut_ : bounds_locked();
}

Partition::Bounds Partition::bounds_locked() const {
  return {.start = log_->start_offset(),
          .visible = visible_locked(),
          .last_stable = stable_locked(),
          .durable = log_->durable_end(),
          .end = log_->end_offset(),
          .leader_epoch = leader_epoch_,
          .size_bytes = log_->size_bytes(),
          .is_leader = leading_.has_value(),
          .leader = leader_,
          .epoch_start = leading_ ? leading_->epoch_start() : base::Offset(0),
          .leader_watermark = leading_ ? base::Offset(0) : leader_watermark_};
}

std::optional<EpochStart> Partition::end_of_epoch(base::LeaderEpoch asked) {
  std::lock_guard lock(mutex_);
  if (!leading_) return std::nullopt;
  return log_->end_offset_for_epoch(asked);
}

std::shared_ptr<const config::TopicConfig> Partition::config() {
  std::lock_guard lock(mutex_);
  return config_;
}

void Partition::set_config(std::shared_ptr<const config::TopicConfig> config,
                           const LogConfig& log_config) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    config_ = std::move(config);
    if (cutting_) {
      config_after_cut_ = log_config;
      return;
    }
    log_->set_config(log_config);
    if (leading_) leading_->on_min_in_sync(config_->min_insync_replicas);
    // A laxer durability may have made more visible.
    woken = settle_locked();
    if (log_->wants_flush() && log_->failed() == std::nullopt) {
      flusher_->request_sync(shared_from_this());
    }
  }
  tell(std::move(woken));
}

void Partition::close(ErrorCode why) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (closed_ != ErrorCode::kNone) return;
    closed_ = why;
    take_locked(woken, why, [](const Waiter&) { return true; });
  }
  tell(std::move(woken));
}

void Partition::when_quiet(io::Executor& home, io::Executor::Work work) {
  std::lock_guard lock(mutex_);
  CHECK(closed_ != ErrorCode::kNone);
  if (works_under_way_ == 0 && !settling_) return home.post(std::move(work));
  quiet_home_ = &home;
  on_quiet_ = std::move(work);
}

io::IoResult<void> Partition::close_log() {
  std::unique_lock lock(mutex_);
  CHECK(closed_ != ErrorCode::kNone);
  cut_ended_.wait(lock, [&] { return !cutting_; });
  if (held_) return io::io_failure(EIO, name().to_string() + ": its new directory has failed");
  return log_->close();
}

}  // namespace broker
