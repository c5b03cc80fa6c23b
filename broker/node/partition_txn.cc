// The part of a partition that knows transactions: which batch may begin one, which marker may end
// one.
#include "broker/node/partition.h"
#include "common/base/mutant.h"
#include "common/record/control.h"

namespace broker {

using wire::ErrorCode;

namespace {

bool is_open(const ProducerStates& producers, base::ProducerId id, base::ProducerEpoch epoch) {
  const ProducerEntry* entry = producers.find(id);
  return entry != nullptr && entry->current_txn_first_offset && entry->producer_epoch == epoch;
}

}  // namespace

std::optional<TxnGuard> Partition::begin_verification(base::ProducerId producer_id,
                                                      base::ProducerEpoch epoch) {
  std::lock_guard lock(mutex_);
  // While one request asks, those behind it keep their place by standing in line.
  if (leading_ && is_open(log_->producers(), producer_id, epoch) && !guards_.is_held(producer_id)) {
    return std::nullopt;
  }
  return guards_.take(producer_id);
}

void Partition::end_verification(base::ProducerId producer_id, TxnGuard guard) {
  Woken next;
  {
    std::lock_guard lock(mutex_);
    guards_.give_back(producer_id, guard);
    turn_waiters_.erase(guard);
    if (auto waiter = turn_waiters_.extract(guards_.first(producer_id)); !waiter.empty()) {
      next.push_back(std::move(waiter.mapped()));
    }
  }
  tell(std::move(next));
}

void Partition::renew_verification(base::ProducerId producer_id, TxnGuard guard) {
  std::lock_guard lock(mutex_);
  guards_.renew(producer_id, guard);
}

bool Partition::is_verified(base::ProducerId producer_id, TxnGuard guard) {
  std::lock_guard lock(mutex_);
  return guards_.is_whole(producer_id, guard);
}

bool Partition::await_turn_to_verify(base::ProducerId producer_id, TxnGuard guard,
                                     io::Executor& home,
                                     std::shared_ptr<PartitionListener> listener,
                                     std::uint64_t tag) {
  std::lock_guard lock(mutex_);
  // Nobody tells any more who waits in a closed one; the append is refused there.
  if (closed_ != ErrorCode::kNone || guards_.first(producer_id) == guard ||
      MUTANT("txn-verdicts-overtake")) {
    return true;
  }
  turn_waiters_.emplace(guard, Waiter{.wanted = Wanted::kTurn,
                                      .offset = {},
                                      .home = &home,
                                      .listener = std::move(listener),
                                      .tag = tag});
  return false;
}

bool Partition::has_open_transaction(base::ProducerId producer_id, base::ProducerEpoch epoch) {
  std::lock_guard lock(mutex_);
  return leading_ && is_open(log_->producers(), producer_id, epoch);
}

ProducerVerdict Partition::check_marker(base::ProducerId producer_id, base::ProducerEpoch epoch,
                                        std::int32_t coordinator_epoch, int transaction_version) {
  std::lock_guard lock(mutex_);
  if (const ErrorCode error = refusal_locked(); error != ErrorCode::kNone) {
    return {.kind = ProducerVerdict::Kind::kRefused, .error = error};
  }
  auto verdict =
      log_->producers().check_marker(producer_id, epoch, coordinator_epoch, transaction_version);
  if (verdict.kind != ProducerVerdict::Kind::kRefused) guards_.break_all(producer_id);
  return verdict;
}

bool Partition::admit_transaction_locked(const record::BatchView& batch, BatchAppend& append,
                                         AppendOrigin origin) {
  ProducerVerdict verdict;
  if (origin == AppendOrigin::kCoordinator && batch.is_control()) {
    const auto marker = record::parse_end_txn_marker(batch);
    if (!marker) return true;
    verdict = log_->producers().check_marker(batch.producer_id(), batch.producer_epoch(),
                                             marker->coordinator_epoch, append.transaction_version);
    if (MUTANT("txn-takes-old-markers")) verdict = {};
    if (verdict.kind != ProducerVerdict::Kind::kRefused) guards_.break_all(batch.producer_id());
  } else if (origin == AppendOrigin::kClient && batch.is_transactional()) {
    if (is_open(log_->producers(), batch.producer_id(), batch.producer_epoch())) return true;
    if (append.guard && guards_.is_whole(batch.producer_id(), *append.guard)) return true;
    if (MUTANT("txn-begins-unverified")) return true;
    verdict.kind = ProducerVerdict::Kind::kRefused;
    verdict.error = ErrorCode::kInvalidTxnState;
    verdict.message = "the batch is not part of an open transaction";
  }
  if (verdict.kind != ProducerVerdict::Kind::kRefused) return true;
  append.error = verdict.error;
  append.message = verdict.message;
  return false;
}

}  // namespace broker
