// How a shard changes what is in the log, and how it answers: at once, or when what the answer
// tells of is committed.
#include <algorithm>
#include <utility>

#include "broker/txn/limits.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::txn {

using wire::ErrorCode;

ErrorCode coordinator_error(ErrorCode append_error) {
  switch (append_error) {
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
      return ErrorCode::kCoordinatorNotAvailable;
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kKafkaStorageError:
      return ErrorCode::kNotCoordinator;
    default:  // an open set: nothing that a client could act on
      return ErrorCode::kUnknownServerError;
  }
}

void TxnCoordinator::answer(Token token, Response response, Output& out) {
  out.reply.push_back({.token = token, .response = std::move(response)});
}

void TxnCoordinator::answer_after(AppendNumber number, Token token, Response response,
                                  Output& out) {
  if (number <= committed_ || MUTANT("txn-answers-before-commit")) {
    return answer(token, std::move(response), out);
  }
  park({.after = number, .what = Reply{.token = token, .response = std::move(response)}});
}

void TxnCoordinator::park(Parked parked) {
  // Mostly the newest append, so mostly the end.
  const auto at = std::ranges::upper_bound(parked_, parked.after, {}, &Parked::after);
  parked_.insert(at, std::move(parked));
}

void TxnCoordinator::release(std::variant<Reply, MarkerOrder> what, Output& out) {
  if (auto* reply = std::get_if<Reply>(&what)) return out.reply.push_back(std::move(*reply));
  out.markers.push_back(std::move(std::get<MarkerOrder>(what)));
}

// With room for what the end of the transaction adds.
bool TxnCoordinator::fits(const Transaction& transaction) const {
  const Record record = encode_transaction(transaction);
  return record.key.size() + record.value->size() + kOverheadBytes <= config_.batch_bytes_max;
}

void TxnCoordinator::save(Transaction next, base::WallMs wall_ms, Output& out) {
  next.updated_ms = wall_ms;
  last_append_ = last_append_ + 1;
  next.last_append = last_append_;
  Append append{.number = last_append_, .timestamp_ms = wall_ms, .records = {}};
  append.records.push_back(encode_transaction(next));
  out.append.push_back(std::move(append));
  const Transaction* before = find(next.id);
  if (before != nullptr && before->is_open()) --open_count_;
  if (next.is_open()) ++open_count_;
  std::string id = next.id;
  transactions_.insert_or_assign(std::move(id), std::move(next));
}

// Nothing: the request waits for an id, or was refused.
std::optional<base::ProducerId> TxnCoordinator::take_producer_id(
    const Call& call, std::variant<InitProducer, EndTransaction> then, Output& out) {
  if (spare_id_) return std::exchange(spare_id_, std::nullopt);
  if (waiting_for_id_.size() >= kWaitingForIdMax) {
    answer(call.token, ProducerAnswer{.error = ErrorCode::kCoordinatorLoadInProgress}, out);
    return std::nullopt;
  }
  waiting_for_id_.push_back({.call = call, .request = std::move(then)});
  if (!std::exchange(id_asked_, true)) out.wants_producer_id = true;
  return std::nullopt;
}

void TxnCoordinator::give_producer_id(std::variant<base::ProducerId, ErrorCode> id,
                                      base::Instant now, base::WallMs wall_ms, Output& out) {
  id_asked_ = false;
  if (const auto* error = std::get_if<ErrorCode>(&id)) {
    for (WaitingForId& waiting : std::exchange(waiting_for_id_, {})) {
      answer(waiting.call.token, ProducerAnswer{.error = *error}, out);
    }
    return;
  }
  spare_id_ = std::get<base::ProducerId>(id);
  // All are decided anew: the state may have changed, and some need no id any more. The others
  // queue up again, which asks for the next id.
  for (WaitingForId& waiting : std::exchange(waiting_for_id_, {})) {
    waiting.call.now = now;
    waiting.call.wall_ms = wall_ms;
    std::visit([&](const auto& request) { handle(waiting.call, request, out); }, waiting.request);
  }
}

void TxnCoordinator::on_committed(AppendNumber number, Output& out) {
  CHECK(number <= last_append_);
  if (number <= committed_) return;
  committed_ = number;
  while (!parked_.empty() && parked_.front().after <= number) {
    Parked parked = std::move(parked_.front());
    parked_.pop_front();
    release(std::move(parked.what), out);
  }
}

namespace {

void spoil(Response& response, ErrorCode error) {
  std::visit([&](auto& each) { each = {.error = error}; }, response);
}

}  // namespace

void TxnCoordinator::give_up_waiting(AppendNumber number, Output& out) {
  std::deque<Parked> kept;
  for (Parked& parked : std::exchange(parked_, {})) {
    auto* reply = std::get_if<Reply>(&parked.what);
    if (reply == nullptr || parked.after > number) {
      kept.push_back(std::move(parked));
      continue;
    }
    spoil(reply->response, ErrorCode::kCoordinatorNotAvailable);
    out.reply.push_back(std::move(*reply));
  }
  parked_ = std::move(kept);
}

void TxnCoordinator::fail(ErrorCode error, Output& out) {
  const ErrorCode told = coordinator_error(error);
  for (Parked& parked : std::exchange(parked_, {})) {
    auto* reply = std::get_if<Reply>(&parked.what);
    if (reply == nullptr) continue;
    spoil(reply->response, told);
    out.reply.push_back(std::move(*reply));
  }
  for (WaitingForId& waiting : std::exchange(waiting_for_id_, {})) {
    answer(waiting.call.token, ProducerAnswer{.error = told}, out);
  }
}

}  // namespace broker::txn
