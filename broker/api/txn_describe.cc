// DescribeTransactions 0.
#include <memory>
#include <utility>

#include "broker/api/txn_handlers.h"

namespace broker::api {

using wire::ErrorCode;

namespace {

using Described = wire::DescribeTransactionsResponse::TransactionState;

struct Pending {
  Reply<wire::DescribeTransactionsResponse> reply;
  wire::DescribeTransactionsResponse response;
  std::size_t missing = 1;
  void one_done() {
    if (--missing == 0) reply(response);
  }
};

void put(const TxnAnswer& answer, Described& out) {
  out.error_code = answer ? std::get<txn::DescribeAnswer>(*answer).error : answer.error();
  if (out.error_code != ErrorCode::kNone) return;
  const txn::Transaction& found = std::get<txn::DescribeAnswer>(*answer).transaction;
  out.transaction_state = name(found.state);
  out.transaction_timeout_ms = found.timeout_ms;
  out.transaction_start_time_ms = found.started_ms;
  out.producer_id = found.producer_id.value();
  out.producer_epoch = found.epoch.value();
  for (const auto& at : found.partitions) {
    if (out.topics.empty() || out.topics.back().topic != at.topic) {
      out.topics.push_back({.topic = at.topic, .partitions = {}});
    }
    out.topics.back().partitions.push_back(at.partition);
  }
}

}  // namespace

void describe_transactions(Context& context, const wire::DescribeTransactionsRequest& request,
                           Reply<wire::DescribeTransactionsResponse> reply) {
  auto all = std::make_shared<Pending>(Pending{.reply = std::move(reply), .response = {}});
  all->response.transaction_states.resize(request.transactional_ids.size());
  for (std::size_t i = 0; i < request.transactional_ids.size(); ++i) {
    const std::string& id = request.transactional_ids[i];
    all->response.transaction_states[i].transactional_id = id;
    ++all->missing;
    context.node.transactions->ask(id, txn::DescribeTransaction{id}, context.reactor.executor,
                                   [all, i](const TxnAnswer& answer) {
                                     put(answer, all->response.transaction_states[i]);
                                     all->one_done();
                                   });
  }
  all->one_done();
}

}  // namespace broker::api
