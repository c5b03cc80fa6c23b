// Who waits for a partition, and being told.
#include <algorithm>

#include "broker/node/partition.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

// ---- waiting

bool Partition::has_reached_locked(const Waiter& waiter) const {
  switch (waiter.wanted) {
    case Wanted::kCommitted:
      return visible_locked() >= waiter.offset;
    case Wanted::kVisible:
      return visible_locked() > waiter.offset;
    case Wanted::kStable:
      return stable_locked() > waiter.offset;
    case Wanted::kWritten:
      return log_->end_offset() > waiter.offset || visible_locked() > waiter.watermark;
    case Wanted::kDurable:
      return own_locked() >= waiter.offset;
    case Wanted::kTurn:  // not a matter of offsets
      return false;
  }
  return true;
}

void Partition::sync_for_waiter_locked() {
  if (config_->durability != config::Durability::kFsync || log_->failed()) return;
  if (log_->durable_end() < log_->end_offset()) flusher_->request_sync(shared_from_this());
}

bool Partition::await_committed(base::Offset end, io::Executor& home,
                                std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  std::lock_guard lock(mutex_);
  Waiter waiter{Wanted::kCommitted, end, &home, std::move(listener), tag};
  if (leading_ && (has_reached_locked(waiter) || MUTANT("node-acks-before-sync"))) return true;
  waiter.error = refusal_locked();
  if (waiter.error == ErrorCode::kNone && !leading_->has_enough_in_sync()) {
    waiter.error = ErrorCode::kNotEnoughReplicasAfterAppend;
  }
  if (waiter.error != ErrorCode::kNone) {
    tell({std::move(waiter)});
    return false;
  }
  // Nearly always the last; a duplicate may ask for less.
  const auto place = std::ranges::upper_bound(commit_waiters_, end, {}, &Waiter::offset);
  commit_waiters_.insert(place, std::move(waiter));
  sync_for_waiter_locked();
  return false;
}

bool Partition::await_more(Waiter waiter) {
  std::lock_guard lock(mutex_);
  const bool may_wait = leading_ || (waiter.any_replica && !cutting_);
  if (closed_ != ErrorCode::kNone || !may_wait || has_reached_locked(waiter)) return true;
  if (leading_ && waiter.wanted != Wanted::kWritten) sync_for_waiter_locked();
  waiters_.push_back(std::move(waiter));
  return false;
}

bool Partition::await_visible(const Visibility& wanted, io::Executor& home,
                              std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  return await_more({.wanted = wanted.read_committed ? Wanted::kStable : Wanted::kVisible,
                     .offset = wanted.from,
                     .home = &home,
                     .listener = std::move(listener),
                     .tag = tag,
                     .any_replica = wanted.any_replica});
}

bool Partition::await_written(base::Offset from, base::Offset watermark, io::Executor& home,
                              std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  return await_more({.wanted = Wanted::kWritten,
                     .offset = from,
                     .home = &home,
                     .listener = std::move(listener),
                     .tag = tag,
                     .watermark = watermark});
}

bool Partition::await_flushed(base::Offset end, io::Executor& home,
                              std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  std::lock_guard lock(mutex_);
  Waiter waiter{Wanted::kDurable, end, &home, std::move(listener), tag, closed_};
  if (waiter.error == ErrorCode::kNone && !cutting_) {
    if (has_reached_locked(waiter)) return true;
    if (log_->failed()) waiter.error = ErrorCode::kKafkaStorageError;
  }
  if (waiter.error != ErrorCode::kNone) {
    tell({std::move(waiter)});
    return false;
  }
  waiters_.push_back(std::move(waiter));
  flusher_->request_sync(shared_from_this());
  return false;
}

void Partition::stop_waiting(const PartitionListener* listener) {
  std::lock_guard lock(mutex_);
  const auto mine = [&](const Waiter& waiter) { return waiter.listener.get() == listener; };
  std::erase_if(waiters_, mine);
  std::erase_if(commit_waiters_, mine);
  std::erase_if(turn_waiters_, [&](const auto& entry) { return mine(entry.second); });
}

// ---- telling

Partition::Woken Partition::settle_locked() {
  if (leading_) leading_->on_log(log_->end_offset(), own_locked());
  log_->producers().on_high_watermark(visible_locked());
  return take_ready_locked();
}

Partition::Woken Partition::take_ready_locked() {
  Woken woken;
  while (!commit_waiters_.empty() && has_reached_locked(commit_waiters_.front())) {
    woken.push_back(std::move(commit_waiters_.front()));
    commit_waiters_.pop_front();
  }
  if (leading_ && !commit_waiters_.empty() && !leading_->has_enough_in_sync()) {
    take_locked(woken, ErrorCode::kNotEnoughReplicasAfterAppend,
                [](const Waiter& waiter) { return waiter.wanted == Wanted::kCommitted; });
  }
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (!has_reached_locked(waiter)) return false;
    woken.push_back(std::move(waiter));
    return true;
  });
  return woken;
}

void Partition::take_locked(Woken& woken, ErrorCode error, bool (*which)(const Waiter&)) {
  const auto take = [&](Waiter& waiter) {
    if (!which(waiter)) return false;
    waiter.error = error;
    woken.push_back(std::move(waiter));
    return true;
  };
  std::erase_if(commit_waiters_, take);
  for (auto at = turn_waiters_.begin(); at != turn_waiters_.end();) {
    at = take(at->second) ? turn_waiters_.erase(at) : std::next(at);
  }
  std::erase_if(waiters_, take);
}

void Partition::tell(Woken woken) {
  // One post per executor, in order.
  while (!woken.empty()) {
    io::Executor* home = woken.front().home;
    Woken here;
    std::erase_if(woken, [&](Waiter& waiter) {
      if (waiter.home != home) return false;
      here.push_back(std::move(waiter));
      return true;
    });
    home->post([here = std::move(here)] {
      for (const Waiter& waiter : here) {
        waiter.listener->on_partition_event(waiter.tag, waiter.error);
      }
    });
  }
}

}  // namespace broker
