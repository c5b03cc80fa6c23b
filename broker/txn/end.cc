// AddPartitionsToTxn, EndTxn, and what follows: markers, and the transaction's completion.
#include <algorithm>
#include <utility>

#include "broker/txn/txn_coordinator.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::txn {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kEpochPerTransaction = 2;  // the transaction version since which it rises

ErrorCode check_producer(const Transaction* current, const Producer& producer) {
  if (current == nullptr) return ErrorCode::kInvalidProducerIdMapping;
  // First of all: a producer that has just been given another id may come with it already.
  if (current->is_preparing()) return ErrorCode::kConcurrentTransactions;
  if (current->producer_id != producer.id) return ErrorCode::kInvalidProducerIdMapping;
  if (current->epoch != producer.epoch && !MUTANT("txn-takes-any-epoch")) {
    return ErrorCode::kProducerFenced;
  }
  return ErrorCode::kNone;
}

}  // namespace

void TxnCoordinator::handle(const Call& call, const AddPartitions& request, Output& out) {
  auto refuse = [&](ErrorCode error) { answer(call.token, PartitionsAnswer{.error = error}, out); };
  if (request.id.empty()) return refuse(ErrorCode::kInvalidRequest);
  const Transaction* current = find(request.id);
  const ErrorCode error = check_producer(current, request.producer);
  if (error != ErrorCode::kNone) return refuse(error);
  PartitionsAnswer response;
  response.partitions.assign(request.partitions.size(), ErrorCode::kNone);
  const bool is_open = current->is(State::kOngoing);
  if (request.verify_only) {
    for (std::size_t i = 0; i < request.partitions.size(); ++i) {
      const bool is_in = is_open && current->partitions.contains(request.partitions[i]);
      if (!is_in) response.partitions[i] = ErrorCode::kTransactionAbortable;
    }
    return answer_after(current->last_append, call.token, std::move(response), out);
  }
  const bool has_all = std::ranges::all_of(request.partitions, [&](const TopicPartition& at) {
    return current->partitions.contains(at);
  });
  if (request.partitions.empty() || (is_open && has_all)) {
    return answer_after(current->last_append, call.token, std::move(response), out);
  }
  Transaction next = *current;
  if (!is_open) {
    next.started_ms = call.wall_ms;
    next.partitions.clear();
  }
  next.state = State::kOngoing;
  next.previous_producer_id = current->producer_id;
  next.partitions.insert(request.partitions.begin(), request.partitions.end());
  next.client_version = request.client_version;
  if (!fits(next)) return refuse(ErrorCode::kUnknownServerError);
  save(std::move(next), call.wall_ms, out);
  answer_after(last_append_, call.token, std::move(response), out);
}

namespace {

// Of version 2: the owner sends again what was done already, since it missed the answer.
bool is_retry(const EndTransaction& request, const Transaction& current) {
  const bool same_id = request.producer.id == current.producer_id;
  if (same_id && request.producer.epoch + std::int16_t{1} == current.epoch) return true;
  return request.producer.id == current.previous_producer_id &&
         request.producer.epoch == kLastEpoch && current.epoch == base::ProducerEpoch(0);
}

bool matches(const Transaction& current, bool commit) {
  return commit ? current.is(State::kCompleteCommit) || current.is(State::kPrepareCommit)
                : current.is(State::kCompleteAbort) || current.is(State::kPrepareAbort);
}

}  // namespace

// NONE: may be prepared. What is done already is told apart by the caller.
ErrorCode TxnCoordinator::check_end(const EndTransaction& request,
                                    const Transaction& current) const {
  const bool v2 = request.client_version >= kEpochPerTransaction;
  const bool retry = v2 && is_retry(request, current);
  if (current.is_preparing()) {
    // By now the epoch is the next transaction's, if it rises.
    const bool is_owner =
        v2 ? retry : request.producer == Producer{current.producer_id, current.epoch};
    if (request.producer.id != current.producer_id) return ErrorCode::kConcurrentTransactions;
    if (!is_owner) return ErrorCode::kProducerFenced;
    return matches(current, request.commit) ? ErrorCode::kConcurrentTransactions
                                            : ErrorCode::kInvalidTxnState;
  }
  if (request.producer.id != current.producer_id && !retry) {
    return ErrorCode::kInvalidProducerIdMapping;
  }
  const bool is_current = request.producer == Producer{current.producer_id, current.epoch};
  const bool may_retry = retry && current.is_complete();
  if (!is_current && !may_retry && !MUTANT("txn-takes-any-epoch")) {
    return ErrorCode::kProducerFenced;
  }
  if (current.is(State::kOngoing)) return ErrorCode::kNone;
  if (may_retry) {
    return matches(current, request.commit) ? ErrorCode::kNone : ErrorCode::kInvalidTxnState;
  }
  if (v2) {  // an abort of nothing still gives the next epoch: writes may be on their way
    return request.commit ? ErrorCode::kInvalidTxnState : ErrorCode::kNone;
  }
  return matches(current, request.commit) ? ErrorCode::kNone : ErrorCode::kInvalidTxnState;
}

void TxnCoordinator::handle(const Call& call, const EndTransaction& request, Output& out) {
  auto refuse = [&](ErrorCode error) { answer(call.token, ProducerAnswer{.error = error}, out); };
  if (request.id.empty()) return refuse(ErrorCode::kInvalidRequest);
  const Transaction* current = find(request.id);
  if (current == nullptr) return refuse(ErrorCode::kInvalidProducerIdMapping);
  const ErrorCode error = check_end(request, *current);
  if (error != ErrorCode::kNone) return refuse(error);
  const bool v2 = request.client_version >= kEpochPerTransaction;
  const bool is_done = current->is_complete() && (!v2 || is_retry(request, *current)) &&
                       !current->is(State::kOngoing);
  if (is_done) {
    return answer_after(current->last_append, call.token,
                        ProducerAnswer{.producer = {current->producer_id, current->epoch}}, out);
  }
  Transaction next = *current;
  next.client_version = request.client_version;
  Producer given{next.producer_id, next.epoch};
  if (v2) {
    if (current->epoch_exhausted()) {
      const auto id = take_producer_id(call, request, out);
      if (!id) return;
      next.next_producer_id = *id;
    }
    next.last_epoch = current->epoch;
    next.epoch = current->epoch + std::int16_t{1};
    given = next.next_producer_id != kNoProducerId
                ? Producer{next.next_producer_id, base::ProducerEpoch(0)}
                : Producer{next.producer_id, next.epoch};
  }
  if (!current->is(State::kOngoing)) {
    next.partitions.clear();
    next.started_ms = call.wall_ms;
  }
  prepare(std::move(next), request.commit, call.wall_ms, out);
  answer_after(last_append_, call.token, ProducerAnswer{.producer = given}, out);
}

void TxnCoordinator::prepare(Transaction next, bool commit, base::WallMs wall_ms, Output& out) {
  next.state = commit ? State::kPrepareCommit : State::kPrepareAbort;
  next.previous_producer_id = next.producer_id;
  ++(commit ? stats_.committed : stats_.aborted);
  const std::string id = next.id;
  save(std::move(next), wall_ms, out);
  order_markers(*find(id), out);
}

// Once the preparation is durable: from then on there is no other outcome.
void TxnCoordinator::order_markers(Transaction& transaction, Output& out) {
  last_order_ = last_order_ + 1;
  transaction.order = last_order_;
  MarkerOrder order{.number = last_order_,
                    .id = transaction.id,
                    .producer = {transaction.producer_id, transaction.epoch},
                    .commit = transaction.is(State::kPrepareCommit),
                    .transaction_version = transaction.client_version,
                    .partitions = {transaction.partitions.begin(), transaction.partitions.end()}};
  if (transaction.last_append <= committed_ || MUTANT("txn-marks-before-prepared")) {
    return out.markers.push_back(std::move(order));
  }
  park({.after = transaction.last_append, .what = std::move(order)});
}

void TxnCoordinator::on_markers_written(OrderNumber number, const std::string& id,
                                        base::WallMs wall_ms, Output& out) {
  Transaction* current = find(id);
  if (current == nullptr || current->order != number) return;
  CHECK(current->is_preparing());
  Transaction next = *current;
  next.state = current->is(State::kPrepareCommit) ? State::kCompleteCommit : State::kCompleteAbort;
  next.order = OrderNumber{};
  next.partitions.clear();
  next.previous_producer_id = current->producer_id;
  if (current->next_producer_id != kNoProducerId) {
    next.producer_id = current->next_producer_id;
    next.next_producer_id = kNoProducerId;
    next.epoch = base::ProducerEpoch(0);
  }
  save(std::move(next), wall_ms, out);
}

}  // namespace broker::txn
