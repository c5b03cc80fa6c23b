// The part of Produce that knows transactions (KIP-890): before the first batch of a transaction is
// written to a partition, the coordinator is asked whether the partition is in the transaction (up
// to version 11), or to add it (since version 12).
#include <algorithm>
#include <utility>

#include "broker/api/produce.h"
#include "broker/node/txn_coordinator.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

constexpr std::int16_t kAbortableSince = 11;
constexpr std::int16_t kImplicitSince = 12;
// While the transaction before is being completed, which nearly always takes a sync or two, we ask
// again ourselves, for so long, with pauses that double up to so much.
constexpr std::chrono::milliseconds kAskAgainAfterAtMost{20};
constexpr std::chrono::milliseconds kAskAgainFor{100};
// A request that stands in two lines may wait for one that waits for it: two connections of one
// producer, of which one is a zombie's.
constexpr std::chrono::seconds kTurnWithin{1};

// What clients of this version know.
ErrorCode told(ErrorCode error, std::int16_t version) {
  if (error == ErrorCode::kTransactionAbortable && version < kAbortableSince) {
    return ErrorCode::kInvalidTxnState;
  }
  if (error == ErrorCode::kConcurrentTransactions && version < kImplicitSince) {
    return ErrorCode::kNotEnoughReplicas;
  }
  return error;
}

}  // namespace

// True: the batch is kept for later, or was refused.
bool ProduceOperation::needs_verification(Item& item, const record::BatchView& batch) {
  if (!request_.transactional_id || request_.transactional_id->empty()) {
    refuse(item, ErrorCode::kInvalidTxnState, "a transactional batch without a transactional id");
    return true;
  }
  const txn::Producer producer{batch.producer_id(), batch.producer_epoch()};
  for (const Item& other : items_) {
    if (!other.unverified || *other.unverified == producer) continue;
    refuse(item, ErrorCode::kInvalidProducerIdMapping, "batches of several producers");
    return true;
  }
  const auto guard = item.partition->begin_verification(producer.id, producer.epoch);
  if (!guard) return false;
  // The frame is gone when the answer comes.
  if (item.append.rewritten.empty()) {
    item.append.rewritten.assign(item.append.batch.begin(), item.append.batch.end());
    item.append.batch = item.append.rewritten;
  }
  item.append.guard = guard;
  item.unverified = producer;
  ++unverified_;
  return true;
}

// One that came earlier for the same producer asks the coordinator for all behind it: when it has
// begun the transaction they follow without asking. And a client that sends several without waiting
// numbered its batches in that order, so that none may overtake another.
void ProduceOperation::stand_in_line() {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    if (!item.unverified ||
        item.partition->await_turn_to_verify(item.unverified->id, *item.append.guard,
                                             reactor_.executor, shared_from_this(), i)) {
      continue;
    }
    item.in_line = true;
    ++in_line_;
  }
  if (in_line_ == 0) return on_turn(ErrorCode::kNone);
  timeout_.on_fire([this] { leave_line(ErrorCode::kConcurrentTransactions); });
  reactor_.executor.timers().set(timeout_, reactor_.executor.now() + kTurnWithin);
}

void ProduceOperation::on_turn(ErrorCode error) {
  if (error != ErrorCode::kNone) return leave_line(error);
  timeout_.cancel();
  for (Item& item : items_) {
    if (item.unverified &&
        item.partition->has_open_transaction(item.unverified->id, item.unverified->epoch)) {
      --unverified_;
      take_verdict(item, ErrorCode::kNone);
    }
  }
  if (unverified_ > 0) return verify();
  settle();
}

void ProduceOperation::leave_line(ErrorCode why) {
  const auto self = shared_from_this();  // the partitions may hold the last other reference
  for (Item& item : items_) {
    if (std::exchange(item.in_line, false)) item.partition->stop_waiting(this);
  }
  in_line_ = 0;
  timeout_.cancel();
  for (Item& item : items_) {
    if (item.unverified) take_verdict(item, why);
  }
  unverified_ = 0;
  settle();
}

void ProduceOperation::verify() {
  const bool is_implicit = reply_.version() >= kImplicitSince;
  txn::AddPartitions asked{.id = *request_.transactional_id,
                           .producer = {},
                           .partitions = {},
                           .verify_only = !is_implicit,
                           .client_version = static_cast<std::int16_t>(is_implicit ? 2 : 0)};
  for (const Item& item : items_) {
    if (!item.unverified) continue;
    asked.producer = *item.unverified;
    asked.partitions.push_back({item.partition->topic(), item.partition->index()});
  }
  node_.transactions->verify(reactor_, std::move(asked),
                             [self = shared_from_this()](const std::vector<ErrorCode>& errors) {
                               self->on_verified(errors);
                             });
}

void ProduceOperation::on_verified(const std::vector<ErrorCode>& errors) {
  const base::Instant now = reactor_.executor.now();
  if (!verify_until_) verify_until_ = now + kAskAgainFor;
  const bool is_implicit = reply_.version() >= kImplicitSince;
  const bool is_early =
      is_implicit && !errors.empty() && errors.front() == ErrorCode::kConcurrentTransactions;
  if ((is_early || must_ask_again()) && now < *verify_until_) {
    self_ = shared_from_this();
    timeout_.on_fire([this] { ask_again(); });
    reactor_.executor.timers().set(timeout_, now + ask_again_after_);
    ask_again_after_ = std::min(2 * ask_again_after_, kAskAgainAfterAtMost);
    return;
  }
  std::size_t i = 0;
  for (Item& item : items_) {
    if (item.unverified) take_verdict(item, errors.at(i++));
  }
  unverified_ = 0;
  settle();
}

// A marker came while we asked: it may be that of the transaction before, which is no reason to
// refuse the next one. Asked again, the coordinator tells.
bool ProduceOperation::must_ask_again() const {
  return std::ranges::any_of(items_, [](const Item& item) {
    return item.unverified && !item.partition->is_verified(item.unverified->id, *item.append.guard);
  });
}

void ProduceOperation::ask_again() {
  const auto kept = std::move(self_);
  for (const Item& item : items_) {
    if (item.unverified) {
      item.partition->renew_verification(item.unverified->id, *item.append.guard);
    }
  }
  verify();
}

void ProduceOperation::take_verdict(Item& item, ErrorCode error) {
  const txn::Producer producer = *std::exchange(item.unverified, std::nullopt);
  if (error == ErrorCode::kNone && !item.partition->is_verified(producer.id, *item.append.guard) &&
      !item.partition->has_open_transaction(producer.id, producer.epoch)) {
    error = ErrorCode::kConcurrentTransactions;  // markers keep coming: the client may try again
  }
  if (error != ErrorCode::kNone) {
    refuse(item, told(error, reply_.version()),
           "not in the transaction: " + std::string(wire::name(error)));
  } else {
    item.fit = true;
    item.partition->append(item.append, node_.clock.wall_ms());
  }
  item.partition->end_verification(producer.id, *item.append.guard);
}

}  // namespace broker::api
