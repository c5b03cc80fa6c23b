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
// While the transaction before is being completed we ask again ourselves, for so long.
constexpr std::chrono::milliseconds kAskAgainAfter{20};
constexpr std::chrono::milliseconds kAskAgainFor{100};

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
    timeout_.on_fire([this] {
      const auto kept = std::move(self_);
      renew_guards();
      verify();
    });
    reactor_.executor.timers().set(timeout_, now + kAskAgainAfter);
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
// refuse the next one. Or a batch before this one still waits, and would be refused behind it for
// its sequence: asked again, the coordinator tells.
bool ProduceOperation::must_ask_again() const {
  return std::ranges::any_of(items_, [](const Item& item) {
    if (!item.unverified) return false;
    const auto producer = item.unverified->id;
    return !item.partition->is_verified(producer, *item.append.guard) ||
           !item.partition->is_first_to_verify(producer, *item.append.guard);
  });
}

void ProduceOperation::renew_guards() {
  for (const Item& item : items_) {
    if (item.unverified) {
      item.partition->renew_verification(item.unverified->id, *item.append.guard);
    }
  }
}

void ProduceOperation::take_verdict(Item& item, ErrorCode error) {
  const txn::Producer producer = *std::exchange(item.unverified, std::nullopt);
  if (error == ErrorCode::kNone &&
      (!item.partition->is_verified(producer.id, *item.append.guard) ||
       !item.partition->is_first_to_verify(producer.id, *item.append.guard))) {
    error = ErrorCode::kConcurrentTransactions;  // markers keep coming: the client may try again
  }
  if (error != ErrorCode::kNone) {
    refuse(item, told(error, reply_.version()), "the transaction's coordinator refused the batch");
  } else {
    item.fit = true;
    item.partition->append(item.append, node_.clock.wall_ms());
  }
  item.partition->end_verification(producer.id, *item.append.guard);
}

}  // namespace broker::api
