#include "broker/txn/txn_coordinator.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace broker::txn {

TxnCoordinator::TxnCoordinator(const Config& config) : config_(config) {
  CHECK(config_.timeout_check > base::Duration{} && config_.expiration_check > base::Duration{});
}

Transaction* TxnCoordinator::find(std::string_view id) {
  const auto at = transactions_.find(id);
  return at == transactions_.end() ? nullptr : &at->second;
}

// ---- loading

void TxnCoordinator::replay(base::BytesView key, std::optional<base::BytesView> value) {
  LogRecord record = decode_record(key, value);
  if (std::holds_alternative<MalformedRecord>(record)) {
    ++malformed_records_;
  } else if (auto* known = std::get_if<TransactionRecord>(&record)) {
    if (!known->value || known->value->is(State::kDead)) {
      transactions_.erase(known->id);
    } else {
      transactions_.insert_or_assign(known->id, std::move(*known->value));
    }
  }
}

void TxnCoordinator::finish_replay(base::Instant now, base::WallMs wall_ms, Output& out) {
  for (auto& [id_, transaction] : transactions_) {
    if (transaction.is_open()) ++open_count_;
    if (transaction.is_preparing()) order_markers(transaction, out);
  }
  next_timeout_check_ = now + config_.timeout_check;
  next_expiration_check_ = now + config_.expiration_check;
  abort_timed_out(wall_ms, out);
}

// ---- what tools ask

void TxnCoordinator::handle(const Call& call, const ListTransactions& request, Output& out) {
  ListAnswer response;
  for (const auto& [id, each] : transactions_) {
    const bool wanted_state =
        request.any_state || std::ranges::find(request.states, each.state) != request.states.end();
    const bool wanted_producer =
        request.producer_ids.empty() ||
        std::ranges::find(request.producer_ids, each.producer_id) != request.producer_ids.end();
    const bool wanted_age =
        !request.longer_than_ms || call.wall_ms - each.started_ms > *request.longer_than_ms;
    if (!wanted_state || !wanted_producer || !wanted_age) continue;
    response.transactions.push_back(
        {.id = id, .producer_id = each.producer_id, .state = each.state});
  }
  answer_after(last_append_, call.token, std::move(response), out);
}

void TxnCoordinator::handle(const Call& call, const DescribeTransaction& request, Output& out) {
  if (request.id.empty()) {
    return answer(call.token, DescribeAnswer{.error = wire::ErrorCode::kInvalidRequest}, out);
  }
  const Transaction* current = find(request.id);
  if (current == nullptr) {
    return answer(call.token, DescribeAnswer{.error = wire::ErrorCode::kTransactionalIdNotFound},
                  out);
  }
  answer_after(current->last_append, call.token, DescribeAnswer{.transaction = *current}, out);
}

void TxnCoordinator::check_invariants() const {
  CHECK(committed_ <= last_append_);
  CHECK(open_count_ == static_cast<std::size_t>(std::ranges::count_if(
                           transactions_, [](const auto& each) { return each.second.is_open(); })));
  for (const auto& [id, each] : transactions_) {
    CHECK(each.id == id && each.last_append <= last_append_);
    CHECK(each.is_preparing() == (each.order != OrderNumber{}));
    CHECK(!each.is(State::kOngoing) || !each.partitions.empty());
    CHECK(each.is(State::kOngoing) || each.is_preparing() || each.partitions.empty());
    CHECK(each.is_preparing() || each.next_producer_id == kNoProducerId);
    CHECK(each.epoch >= base::ProducerEpoch(0));
  }
}

}  // namespace broker::txn
