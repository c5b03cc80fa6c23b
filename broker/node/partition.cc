#include "broker/node/partition.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

Partition::Partition(Identity identity, std::unique_ptr<Log> log,
                     std::shared_ptr<const config::TopicConfig> config,
                     const ReplicaServices& services, base::Offset high_watermark)
    : identity_(std::move(identity)),
      services_(services),
      directory_(services.directory),
      flusher_(&services.flusher),
      log_(std::move(log)),
      config_(std::move(config)),
      high_watermark_(std::clamp(high_watermark, log_->start_offset(), log_->end_offset())) {
  log_->producers().on_high_watermark(high_watermark_);
}

Partition::Partition(Identity identity, std::unique_ptr<Log> log,
                     std::shared_ptr<const config::TopicConfig> config,
                     base::LeaderEpoch leader_epoch, Flusher& flusher)
    : Partition(std::move(identity), std::move(log), std::move(config),
                ReplicaServices{.self = base::BrokerId(0), .flusher = flusher}, base::Offset(0)) {
  const std::vector<base::BrokerId> alone{services_.self};
  become({.leader = services_.self,
          .set = {.leader_epoch = leader_epoch, .replicas = alone, .isr = alone},
          .live = std::make_shared<const LiveBrokers>()},
         base::Instant());
}

Partition::~Partition() = default;

ErrorCode Partition::refusal_locked() const {
  if (closed_ != ErrorCode::kNone) return closed_;
  if (!leading_) return ErrorCode::kNotLeaderOrFollower;
  return log_->failed() ? ErrorCode::kKafkaStorageError : ErrorCode::kNone;
}

// What of our log counts for the high watermark.
base::Offset Partition::own_locked() const {
  if (MUTANT("node-shows-unsynced")) return log_->end_offset();
  if (held_) return *held_;
  return config_->durability == config::Durability::kFsync ? log_->durable_end()
                                                           : log_->end_offset();
}

base::Offset Partition::visible_locked() const {
  return leading_ ? leading_->high_watermark() : high_watermark_;
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
    woken = settle_locked();
  }
  tell(std::move(woken));
}

bool Partition::admit_locked(BatchAppend& append, AppendOrigin origin) {
  append.error = refusal_locked();
  if (append.error != ErrorCode::kNone) {
    if (append.error == ErrorCode::kKafkaStorageError && log_->failed()) {
      append.message = log_->failed()->what;
    }
    return false;
  }
  if (append.acks_all && !leading_->has_enough_in_sync()) {
    append.error = ErrorCode::kNotEnoughReplicas;
    append.message = name().to_string() + " has " + std::to_string(leading_->set().isr.size()) +
                     " replicas in sync, fewer than min.insync.replicas";
    return false;
  }
  append.log_start = log_->start_offset();
  const record::BatchView view = *record::BatchView::parse(append.batch);
  if (!view.has_producer_id() || MUTANT("node-checks-no-sequence")) return true;
  const ProducerVerdict verdict = log_->producers().check(view, origin);
  if (verdict.gap && is_early_locked(view.producer_id())) {
    append.error = ErrorCode::kNotLeaderOrFollower;
    append.message = name().to_string() +
                     " has had no batch of this producer since it has a new "
                     "leader, and this is not the next one";
    return false;
  }
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

// Whose batches before this one may be under way: its client may still wait for the leader before
// us, and sends them here then. OUT_OF_ORDER_SEQUENCE_NUMBER would make librdkafka begin anew as
// another producer, with batches that we have already (docs/decisions/0017-early-batches.md).
bool Partition::is_early_locked(base::ProducerId producer) const {
  const io::Clock* clock = services_.clock;
  if (clock == nullptr || !leading_->is_new(clock->now())) return false;
  if (MUTANT("node-calls-early-batches-wrong")) return false;
  const ProducerEntry* known = log_->producers().find(producer);
  return known == nullptr || known->last_data_offset() < leading_->epoch_start();
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
  const auto records = batches.back()->end_offset - batches.front()->base_offset;
  produced_records_.fetch_add(static_cast<std::uint64_t>(records), std::memory_order_relaxed);
  produced_bytes_.fetch_add(result->bytes, std::memory_order_relaxed);
  after_write_locked(result->bytes, result->rolled);
}

void Partition::after_write_locked(std::uint64_t bytes, bool rolled) {
  if (rolled) return flusher_->request_sync(shared_from_this());
  switch (config_->durability) {
    case config::Durability::kFsync:
      // Who waits, for the commit or to read, asks for a sync itself; the rest is synced in its
      // time, without a bound in bytes: it was promised to nobody.
      if (std::ranges::any_of(waiters_, [](const Waiter& waiter) {
            return waiter.wanted == Wanted::kVisible || waiter.wanted == Wanted::kStable;
          })) {
        return flusher_->request_sync(shared_from_this());
      }
      return flusher_->schedule(shared_from_this(), 0);
    case config::Durability::kInterval:
      return flusher_->schedule(shared_from_this(), bytes);
    case config::Durability::kReplicated:
      return;
  }
}

// ---- read

// What stands in the way of any read; without an error, `answer` has the bounds.
ErrorCode Partition::check_reader_locked(const ReadRequest& request, ReadAnswer& answer) const {
  if (closed_ != ErrorCode::kNone) return closed_;
  if (request.leader_epoch && *request.leader_epoch != leader_epoch_ &&
      !(MUTANT("node-serves-stale-epochs") && *request.leader_epoch < leader_epoch_)) {
    return *request.leader_epoch < leader_epoch_ ? ErrorCode::kFencedLeaderEpoch
                                                 : ErrorCode::kUnknownLeaderEpoch;
  }
  if (!leading_ && (request.follower || !request.any_replica || cutting_)) {
    return ErrorCode::kNotLeaderOrFollower;
  }
  answer.log_start = log_->start_offset();
  if (request.last_fetched_epoch && !MUTANT("node-finds-no-divergence")) {
    const auto end = log_->end_offset_for_epoch(*request.last_fetched_epoch);
    if (!end) return leading_ ? ErrorCode::kOffsetOutOfRange : ErrorCode::kNotLeaderOrFollower;
    if (end->leader_epoch < *request.last_fetched_epoch || end->start < request.from) {
      answer.diverging = *end;
      return ErrorCode::kNone;
    }
  }
  if (request.from < log_->start_offset() || request.from > log_->end_offset()) {
    // Only the leader knows the range: a client that takes this replica for it would lose its
    // place.
    return leading_ ? ErrorCode::kOffsetOutOfRange : ErrorCode::kNotLeaderOrFollower;
  }
  return ErrorCode::kNone;
}

ErrorCode Partition::note_progress_locked(const ReadRequest& request) {
  const auto taken = leading_->on_fetch(
      {.id = request.follower->id, .epoch = request.follower->epoch, .offset = request.from},
      request.follower->now);
  switch (taken) {
    case Leadership::Taken::kTaken:
      return ErrorCode::kNone;
    case Leadership::Taken::kNotReplica:
      return ErrorCode::kUnknownLeaderEpoch;  // its metadata is ahead of ours: it asks again
    case Leadership::Taken::kStale:
      return ErrorCode::kNotLeaderOrFollower;
  }
  return ErrorCode::kNone;
}

ReadAnswer Partition::read(const ReadRequest& request) {
  ReadAnswer answer;
  Woken woken;
  bool wants_change = false;
  {
    std::lock_guard lock(mutex_);
    answer.error = check_reader_locked(request, answer);
    if (answer.error == ErrorCode::kNone && !answer.diverging && request.follower &&
        request.follower->is_progress) {
      answer.error = note_progress_locked(request);
      woken = settle_locked();
      wants_change = leading_->wants_change();
    }
    if (closed_ == ErrorCode::kNone && (leading_ || answer.error == ErrorCode::kNone)) {
      answer.high_watermark = visible_locked();
      answer.last_stable = stable_locked();
    }
    if (answer.error == ErrorCode::kNone && !answer.diverging) {
      if (leading_) answer.read_there = leading_->reader_among(request.nearby, request.from);
      if (!answer.read_there) read_locked(request, answer);
    }
  }
  tell(std::move(woken));
  if (wants_change) want_isr_change();
  return answer;
}

// Whoever is in sync is waited for by producers: it is never throttled.
bool Partition::is_throttled_locked(base::BrokerId follower) const {
  if (!config_->leader_throttled.holds(identity_.index, services_.self)) return false;
  const auto& isr = leading_->set().isr;
  return std::ranges::find(isr, follower) == isr.end() || MUTANT("throttle-holds-those-in-sync");
}

void Partition::read_locked(const ReadRequest& request, ReadAnswer& answer) {
  const base::Offset bound = request.follower         ? log_->end_offset()
                             : request.read_committed ? answer.last_stable
                                                      : answer.high_watermark;
  if (request.from >= bound || (request.bytes_max == 0 && !request.at_least_one_batch)) return;
  std::uint32_t bytes_max = request.bytes_max;
  answer.throttled = request.follower && is_throttled_locked(request.follower->id);
  if (answer.throttled) {
    answer.held_back = request.follower->throttled_bytes_max <= 0;
    if (answer.held_back) return;
    bytes_max = static_cast<std::uint32_t>(
        std::min<std::int64_t>(bytes_max, request.follower->throttled_bytes_max));
  }
  // A batch larger than what is left of the throttle goes all the same, and is made up for.
  auto slice = log_->read({.from = request.from,
                           .upper_bound = bound,
                           .bytes_max = bytes_max,
                           .at_least_one_batch = request.at_least_one_batch || answer.throttled,
                           .may_block = request.may_block});
  if (!slice) {
    answer.error =
        slice.error().code == ERANGE ? ErrorCode::kOffsetOutOfRange : ErrorCode::kKafkaStorageError;
    return;
  }
  if (slice->cold) {
    answer.cold = slice->bytes;
    return;
  }
  if (slice->bytes.length == 0) return;
  if (request.read_committed && !request.follower) {
    auto aborted = log_->aborted_transactions(request.from, slice->end_bound);
    if (!aborted) {
      answer.error = ErrorCode::kKafkaStorageError;
      return;
    }
    answer.aborted = std::move(*aborted);
  }
  answer.slice = std::move(*slice);
}

Partition::Traffic Partition::traffic() const {
  return {.produced_bytes = produced_bytes_.load(std::memory_order_relaxed),
          .produced_records = produced_records_.load(std::memory_order_relaxed),
          .fetched_bytes = fetched_bytes_.load(std::memory_order_relaxed)};
}

void Partition::note_fetched(std::uint64_t bytes) {
  fetched_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace broker
