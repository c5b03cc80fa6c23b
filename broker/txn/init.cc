// InitProducerId with a transactional id: a new owner takes over, fences the one before and ends
// what it left open; or the owner itself goes on after an error (KIP-360).
#include <utility>

#include "broker/txn/limits.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/mutant.h"

namespace broker::txn {

using wire::ErrorCode;

namespace {

// May the producer be who it says? Its epoch is looked at later, where it matters.
bool may_go_on(const Transaction& current, const Producer& expected) {
  if (current.epoch == kNoEpoch || expected.id == current.producer_id) return true;
  // It ran out of epochs and missed the answer that gave it another id.
  return expected.id == current.previous_producer_id && expected.epoch >= kLastEpoch;
}

}  // namespace

void TxnCoordinator::handle(const Call& call, const InitProducer& request, Output& out) {
  auto refuse = [&](ErrorCode error) { answer(call.token, ProducerAnswer{.error = error}, out); };
  if (request.id.empty()) return refuse(ErrorCode::kInvalidRequest);
  if (request.timeout_ms <= 0 || request.timeout_ms > config_.timeout_ms_max) {
    return refuse(ErrorCode::kInvalidTransactionTimeout);
  }
  const Transaction* current = find(request.id);
  if (current == nullptr) return init_new(call, request, out);
  if (request.expected && !may_go_on(*current, *request.expected)) {
    return refuse(ErrorCode::kProducerFenced);
  }
  switch (current->state) {
    case State::kEmpty:
    case State::kCompleteCommit:
    case State::kCompleteAbort:
      return init_idle(call, request, *current, out);
    case State::kOngoing:
      // A zombie must not end the transaction of who came after it.
      if (request.expected && request.expected->epoch != current->epoch) {
        return refuse(ErrorCode::kProducerFenced);
      }
      fence(*current, call.wall_ms, out);
      return answer_after(last_append_, call.token,
                          ProducerAnswer{.error = ErrorCode::kConcurrentTransactions}, out);
    case State::kPrepareCommit:
    case State::kPrepareAbort:
    case State::kDead:
      return refuse(ErrorCode::kConcurrentTransactions);
  }
}

void TxnCoordinator::init_new(const Call& call, const InitProducer& request, Output& out) {
  if (transactions_.size() >= kTransactionsMax) {
    return answer(call.token, ProducerAnswer{.error = ErrorCode::kCoordinatorNotAvailable}, out);
  }
  const auto id = take_producer_id(call, request, out);
  if (!id) return;
  Transaction made{.id = request.id,
                   .producer_id = *id,
                   .epoch = base::ProducerEpoch(0),
                   .timeout_ms = request.timeout_ms};
  save(std::move(made), call.wall_ms, out);
  answer_after(last_append_, call.token, ProducerAnswer{.producer = {*id, base::ProducerEpoch(0)}},
               out);
}

// Nothing is open: the epoch rises, or the producer gets another id when there is no epoch left.
void TxnCoordinator::init_idle(const Call& call, const InitProducer& request,
                               const Transaction& current, Output& out) {
  Transaction next = current;
  next.state = State::kEmpty;
  next.previous_producer_id = current.producer_id;
  next.partitions.clear();
  next.started_ms = -1;
  next.timeout_ms = request.timeout_ms;
  const auto& expected = request.expected;
  if (current.epoch_exhausted() && (!expected || expected->epoch == current.epoch)) {
    const auto id = take_producer_id(call, request, out);
    if (!id) return;
    next.producer_id = *id;
    next.epoch = base::ProducerEpoch(0);
    next.last_epoch = expected ? current.epoch : kNoEpoch;
  } else if (!expected || expected->epoch == current.epoch || current.epoch == kNoEpoch) {
    next.last_epoch = expected ? current.epoch : kNoEpoch;
    next.epoch = current.epoch + std::int16_t{1};
  } else if (expected->epoch == current.last_epoch) {
    // It did rise; the answer was lost.
  } else {
    return answer(call.token, ProducerAnswer{.error = ErrorCode::kProducerFenced}, out);
  }
  if (MUTANT("txn-keeps-epoch-of-new-owner")) next.epoch = current.epoch;
  const Producer producer{next.producer_id, next.epoch};
  save(std::move(next), call.wall_ms, out);
  answer_after(last_append_, call.token, ProducerAnswer{.producer = producer}, out);
}

// Aborts what is open under an epoch that its owner does not have.
void TxnCoordinator::fence(const Transaction& current, base::WallMs wall_ms, Output& out) {
  Transaction next = current;
  if (!MUTANT("txn-fences-nobody")) next.epoch = current.epoch + std::int16_t{1};
  next.last_epoch = kNoEpoch;
  prepare(std::move(next), false, wall_ms, out);
}

}  // namespace broker::txn
