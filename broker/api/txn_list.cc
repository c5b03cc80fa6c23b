// ListTransactions 0-2: those whose coordinator is here. Version 1 asks for long ones, 2 for ids
// that match a regular expression (KIP-994, KIP-1152).
#include <re2/re2.h>

#include <memory>
#include <utility>

#include "broker/api/txn_handlers.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

std::shared_ptr<const re2::RE2> compile(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  return std::make_shared<const re2::RE2>(pattern, options);
}

void put(const std::vector<TxnAnswer>& answers, const re2::RE2* pattern,
         wire::ListTransactionsResponse& out) {
  for (const TxnAnswer& answer : answers) {
    const ErrorCode error = answer ? std::get<txn::ListAnswer>(*answer).error : answer.error();
    // Half an answer would pass for a whole one.
    if (error == ErrorCode::kCoordinatorLoadInProgress) {
      out.error_code = error;
      out.transaction_states.clear();
      return;
    }
    if (error != ErrorCode::kNone) continue;  // another broker's by now
    for (const auto& each : std::get<txn::ListAnswer>(*answer).transactions) {
      if (pattern != nullptr && !RE2::FullMatch(each.id, *pattern)) continue;
      out.transaction_states.push_back({.transactional_id = each.id,
                                        .producer_id = each.producer_id.value(),
                                        .transaction_state = std::string(name(each.state))});
    }
  }
}

}  // namespace

void list_transactions(Context& context, const wire::ListTransactionsRequest& request,
                       Reply<wire::ListTransactionsResponse> reply) {
  wire::ListTransactionsResponse response;
  txn::ListTransactions asked;
  asked.any_state = request.state_filters.empty();
  for (const std::string& state : request.state_filters) {
    if (const auto known = txn::state_of(state)) {
      asked.states.push_back(*known);
    } else {
      response.unknown_state_filters.push_back(state);
    }
  }
  for (const std::int64_t id : request.producer_id_filters) {
    asked.producer_ids.emplace_back(id);
  }
  if (request.duration_filter >= 0) asked.longer_than_ms = request.duration_filter;
  std::shared_ptr<const re2::RE2> pattern;
  if (request.transactional_id_pattern && !request.transactional_id_pattern->empty()) {
    pattern = compile(*request.transactional_id_pattern);
    if (!pattern->ok()) {
      response.error_code = ErrorCode::kInvalidRegularExpression;
      return reply(response);
    }
  }
  context.node.transactions->ask_all(
      asked, context.reactor.executor,
      [pattern, response, reply = std::move(reply)](std::vector<TxnAnswer> answers) mutable {
        put(answers, pattern.get(), response);
        reply(response);
      });
}

}  // namespace broker::api
