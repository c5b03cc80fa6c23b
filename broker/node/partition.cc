#include "broker/node/partition.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

Partition::Partition(Identity identity, std::unique_ptr<Log> log,
                     std::shared_ptr<const config::TopicConfig> config,
                     base::LeaderEpoch leader_epoch, Flusher& flusher)
    : identity_(std::move(identity)),
      flusher_(flusher),
      log_(std::move(log)),
      config_(std::move(config)),
      leader_epoch_(leader_epoch) {
  log_->assign_epoch(leader_epoch_, log_->end_offset());
  log_->producers().on_high_watermark(visible_locked());
}

Partition::~Partition() = default;

ErrorCode Partition::refusal_locked() const {
  if (closed_ != ErrorCode::kNone) return closed_;
  return log_->failed() ? ErrorCode::kKafkaStorageError : ErrorCode::kNone;
}

base::Offset Partition::visible_locked() const {
  if (MUTANT("node-shows-unsynced")) return log_->end_offset();
  return config_->durability == config::Durability::kFsync ? log_->durable_end()
                                                           : log_->end_offset();
}

base::Offset Partition::stable_locked() const {
  return log_->producers().last_stable_offset(visible_locked());
}

// ---- append

void Partition::append(std::span<BatchAppend* const> batches, base::WallMs now,
                       AppendOrigin origin) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    std::vector<BatchAppend*> run;
    run.reserve(batches.size());
    for (BatchAppend* append : batches) {
      // Sequences are checked against what is in the log: batches of one producer go one by one.
      const record::BatchView view = *record::BatchView::parse(append->batch);
      const bool same_producer =
          view.has_producer_id() && std::ranges::any_of(run, [&](const BatchAppend* before) {
            return record::BatchView::parse(before->batch)->producer_id() == view.producer_id();
          });
      if (same_producer) {
        write_locked(run, now);
        run.clear();
      }
      if (admit_locked(*append, origin)) run.push_back(append);
    }
    write_locked(run, now);
    woken = take_ready_locked();
  }
  tell(std::move(woken), ErrorCode::kNone);
}

bool Partition::admit_locked(BatchAppend& append, AppendOrigin origin) {
  append.error = refusal_locked();
  if (append.error != ErrorCode::kNone) {
    if (log_->failed()) append.message = log_->failed()->what;
    return false;
  }
  append.log_start = log_->start_offset();
  const record::BatchView view = *record::BatchView::parse(append.batch);
  if (!view.has_producer_id() || MUTANT("node-checks-no-sequence")) return true;
  const ProducerVerdict verdict = log_->producers().check(view, origin);
  switch (verdict.kind) {
    case ProducerVerdict::Kind::kAppend:
      return admit_transaction_locked(view, append, origin);
    case ProducerVerdict::Kind::kDuplicate:
      append.base_offset = verdict.duplicate.first_offset();
      append.end_offset = MUTANT("node-acks-duplicates-at-once")
                              ? base::Offset(0)
                              : verdict.duplicate.last_offset + 1;
      return false;
    case ProducerVerdict::Kind::kRefused:
      append.error = verdict.error;
      append.message = verdict.message;
      return false;
  }
  return false;
}

void Partition::write_locked(std::span<BatchAppend* const> batches, base::WallMs now) {
  if (batches.empty()) return;
  std::vector<base::MutableBytes> bytes;
  bytes.reserve(batches.size());
  for (BatchAppend* append : batches) {
    if (config_->timestamp_type == record::TimestampType::kLogAppendTime) {
      record::set_max_timestamp(append->batch, record::TimestampType::kLogAppendTime, now);
      append->log_append_time = now;
    }
    bytes.push_back(append->batch);
  }
  const auto result = log_->append(bytes, leader_epoch_, now);
  if (!result) {
    for (BatchAppend* append : batches) {
      append->error = result.error().code == EMSGSIZE ? ErrorCode::kRecordListTooLarge
                                                      : ErrorCode::kKafkaStorageError;
      append->message = name().to_string() + ": " + result.error().what;
    }
    return;
  }
  for (BatchAppend* append : batches) {
    const record::BatchView view = *record::BatchView::parse(append->batch);
    append->base_offset = view.base_offset();
    append->end_offset = view.next_offset();
  }
  log_->producers().on_high_watermark(visible_locked());
  after_write_locked(result->bytes, result->rolled);
}

void Partition::after_write_locked(std::uint64_t bytes, bool rolled) {
  if (rolled) return flusher_.request_sync(shared_from_this());
  switch (config_->durability) {
    case config::Durability::kFsync:
      // Who waits, for the commit or to read, asks for a sync itself; the rest is synced in its
      // time, without a bound in bytes: it was promised to nobody.
      if (!visible_waiters_.empty()) return flusher_.request_sync(shared_from_this());
      return flusher_.schedule(shared_from_this(), 0);
    case config::Durability::kInterval:
      return flusher_.schedule(shared_from_this(), bytes);
    case config::Durability::kReplicated:
      return;
  }
}

bool Partition::await_committed(base::Offset end, io::Executor& home,
                                std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  std::lock_guard lock(mutex_);
  if (visible_locked() >= end || MUTANT("node-acks-before-sync")) return true;
  Waiter waiter{end, false, &home, std::move(listener), tag};
  if (refusal_locked() != ErrorCode::kNone) {
    tell({std::move(waiter)}, refusal_locked());
    return false;
  }
  // Nearly always the last; a duplicate may ask for less.
  const auto place = std::ranges::upper_bound(commit_waiters_, end, {}, &Waiter::offset);
  commit_waiters_.insert(place, std::move(waiter));
  flusher_.request_sync(shared_from_this());
  return false;
}

// ---- read

ReadAnswer Partition::read(const ReadRequest& request) {
  ReadAnswer answer;
  std::lock_guard lock(mutex_);
  answer.error = refusal_locked();
  if (closed_ != ErrorCode::kNone) return answer;
  answer.error = ErrorCode::kNone;  // what is there can be read though no more can be written
  answer.high_watermark = visible_locked();
  answer.last_stable = stable_locked();
  answer.log_start = log_->start_offset();
  if (request.leader_epoch && *request.leader_epoch != leader_epoch_) {
    answer.error = *request.leader_epoch < leader_epoch_ ? ErrorCode::kFencedLeaderEpoch
                                                         : ErrorCode::kUnknownLeaderEpoch;
    return answer;
  }
  if (request.last_fetched_epoch) {
    const auto end = log_->end_offset_for_epoch(*request.last_fetched_epoch);
    if (!end) {
      answer.error = ErrorCode::kOffsetOutOfRange;
      return answer;
    }
    if (end->leader_epoch < *request.last_fetched_epoch || end->start < request.from) {
      answer.diverging = *end;
      return answer;
    }
  }
  if (request.from < log_->start_offset() || request.from > log_->end_offset()) {
    answer.error = ErrorCode::kOffsetOutOfRange;
    return answer;
  }
  const base::Offset bound = request.read_committed ? answer.last_stable : answer.high_watermark;
  if (request.from >= bound || (request.bytes_max == 0 && !request.at_least_one_batch)) {
    return answer;
  }
  auto slice = log_->read({.from = request.from,
                           .upper_bound = bound,
                           .bytes_max = request.bytes_max,
                           .at_least_one_batch = request.at_least_one_batch,
                           .may_block = request.may_block});
  if (!slice) {
    answer.error =
        slice.error().code == ERANGE ? ErrorCode::kOffsetOutOfRange : ErrorCode::kKafkaStorageError;
    return answer;
  }
  if (slice->cold) {
    answer.cold = slice->bytes;
    return answer;
  }
  if (slice->bytes.length == 0) return answer;
  if (request.read_committed) {
    auto aborted = log_->aborted_transactions(request.from, slice->end_bound);
    if (!aborted) {
      answer.error = ErrorCode::kKafkaStorageError;
      return answer;
    }
    answer.aborted = std::move(*aborted);
  }
  answer.slice = std::move(*slice);
  return answer;
}

bool Partition::await_visible(base::Offset from, bool read_committed, io::Executor& home,
                              std::shared_ptr<PartitionListener> listener, std::uint64_t tag) {
  std::lock_guard lock(mutex_);
  if (closed_ != ErrorCode::kNone) return true;
  if ((read_committed ? stable_locked() : visible_locked()) > from) return true;
  visible_waiters_.push_back({from, read_committed, &home, std::move(listener), tag});
  if (visible_locked() < log_->end_offset() && refusal_locked() == ErrorCode::kNone) {
    flusher_.request_sync(shared_from_this());
  }
  return false;
}

void Partition::stop_waiting(const PartitionListener* listener) {
  std::lock_guard lock(mutex_);
  const auto mine = [&](const Waiter& waiter) { return waiter.listener.get() == listener; };
  std::erase_if(visible_waiters_, mine);
  std::erase_if(commit_waiters_, mine);
}

// ---- telling

Partition::Woken Partition::take_ready_locked() {
  Woken woken;
  const base::Offset visible = visible_locked();
  while (!commit_waiters_.empty() && commit_waiters_.front().offset <= visible) {
    woken.push_back(std::move(commit_waiters_.front()));
    commit_waiters_.pop_front();
  }
  if (visible_waiters_.empty()) return woken;
  const base::Offset stable = stable_locked();
  std::erase_if(visible_waiters_, [&](Waiter& waiter) {
    if ((waiter.read_committed ? stable : visible) <= waiter.offset) return false;
    woken.push_back(std::move(waiter));
    return true;
  });
  return woken;
}

void Partition::tell(Woken woken, ErrorCode error) {
  // One post per executor, in order.
  while (!woken.empty()) {
    io::Executor* home = woken.front().home;
    Woken here;
    std::erase_if(woken, [&](Waiter& waiter) {
      if (waiter.home != home) return false;
      here.push_back(std::move(waiter));
      return true;
    });
    home->post([here = std::move(here), error] {
      for (const Waiter& waiter : here) waiter.listener->on_partition_event(waiter.tag, error);
    });
  }
}

// ---- flushing

FlushBatch Partition::take_unflushed() {
  std::lock_guard lock(mutex_);
  ++flushes_under_way_;
  return closed_ == ErrorCode::kNone ? log_->take_unflushed() : FlushBatch();
}

void Partition::flushed(const FlushBatch& batch, const io::IoResult<void>& result) {
  Woken woken;
  ErrorCode error = ErrorCode::kNone;
  {
    std::lock_guard lock(mutex_);
    // A request that is refused, as the directory has failed, took nothing before.
    CHECK(flushes_under_way_ > 0 || !result);
    if (flushes_under_way_ > 0) --flushes_under_way_;
    if (flushes_under_way_ == 0 && on_quiet_) quiet_home_->post(std::exchange(on_quiet_, nullptr));
    if (closed_ != ErrorCode::kNone) return;  // every waiter has been told
    if (result) {
      log_->mark_flushed(batch);
      log_->producers().on_high_watermark(visible_locked());
      woken = take_ready_locked();
    } else {
      // Nothing that waits will ever be known to be durable.
      if (!MUTANT("node-acks-failed-sync")) error = ErrorCode::kKafkaStorageError;
      woken.assign(std::make_move_iterator(commit_waiters_.begin()),
                   std::make_move_iterator(commit_waiters_.end()));
      commit_waiters_.clear();
    }
  }
  tell(std::move(woken), error);
}

// ---- the rest

Partition::Bounds Partition::bounds() {
  std::lock_guard lock(mutex_);
  return {.start = log_->start_offset(),
          .visible = visible_locked(),
          .last_stable = stable_locked(),
          .durable = log_->durable_end(),
          .end = log_->end_offset(),
          .leader_epoch = leader_epoch_,
          .size_bytes = log_->size_bytes()};
}

std::optional<EpochStart> Partition::end_of_epoch(base::LeaderEpoch asked) {
  std::lock_guard lock(mutex_);
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
    log_->set_config(log_config);
    // A laxer durability may have made more visible.
    log_->producers().on_high_watermark(visible_locked());
    woken = take_ready_locked();
    if (log_->wants_flush() && log_->failed() == std::nullopt) {
      flusher_.request_sync(shared_from_this());
    }
  }
  tell(std::move(woken), ErrorCode::kNone);
}

void Partition::close(ErrorCode why) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (closed_ != ErrorCode::kNone) return;
    closed_ = why;
    woken.assign(std::make_move_iterator(commit_waiters_.begin()),
                 std::make_move_iterator(commit_waiters_.end()));
    commit_waiters_.clear();
    std::ranges::move(visible_waiters_, std::back_inserter(woken));
    visible_waiters_.clear();
  }
  tell(std::move(woken), why);
}

void Partition::when_quiet(io::Executor& home, io::Executor::Work work) {
  std::lock_guard lock(mutex_);
  CHECK(closed_ != ErrorCode::kNone);
  if (flushes_under_way_ == 0) return home.post(std::move(work));
  quiet_home_ = &home;
  on_quiet_ = std::move(work);
}

io::IoResult<void> Partition::close_log() {
  std::lock_guard lock(mutex_);
  CHECK(closed_ != ErrorCode::kNone);
  return log_->close();
}

}  // namespace broker
