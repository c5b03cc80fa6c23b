// AddPartitionsToTxn 0-5: clients say what a transaction will write to (0-3), other brokers ask for
// many transactions at once, to add or only to verify (4, 5; KIP-890).
#include <memory>
#include <utility>

#include "broker/api/txn_handlers.h"

namespace broker::api {
namespace {

using wire::ErrorCode;
using Topic = wire::AddPartitionsToTxnRequest::AddPartitionsToTxnTopic;
using TopicResult = wire::AddPartitionsToTxnResponse::AddPartitionsToTxnTopicResult;

constexpr std::int16_t kProducerFencedSince = 2;
constexpr std::int16_t kBatchSince = 4;
constexpr std::int16_t kImplicitVersion = 2;  // transaction version of what brokers add

bool exists(const meta::Image& image, const std::string& topic, std::int32_t partition) {
  const meta::Topic* known = image.topic(topic);
  return known != nullptr && partition >= 0 &&
         static_cast<std::size_t>(partition) < known->partitions.size();
}

// One transaction's results, in the order of its request.
struct Results {
  std::vector<TopicResult> topics;

  explicit Results(const std::vector<Topic>& asked) {
    for (const Topic& topic : asked) {
      auto& out = topics.emplace_back();
      out.name = topic.name;
      for (const std::int32_t partition : topic.partitions) {
        out.results_by_partition.push_back({.partition_index = partition});
      }
    }
  }
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& topic : topics) {
      for (auto& result : topic.results_by_partition) {
        visit(topic.name, result.partition_index, result.partition_error_code);
      }
    }
  }
};

void ask(Context& context, txn::AddPartitions request, std::vector<Topic> topics,
         std::move_only_function<void(std::vector<TopicResult>)> done) {
  auto results = std::make_shared<Results>(topics);
  const auto image = context.node.image();
  bool all_exist = true;
  results->for_each([&](const std::string& topic, std::int32_t partition, ErrorCode& error) {
    const bool is_there = exists(*image, topic, partition);
    error = is_there ? ErrorCode::kOperationNotAttempted : ErrorCode::kUnknownTopicOrPartition;
    all_exist = all_exist && is_there;
    request.partitions.push_back({topic, partition});
  });
  if (!all_exist) return done(std::move(results->topics));
  const std::string id = request.id;
  const bool knows_fenced = context.version >= kProducerFencedSince;
  context.node.transactions->ask(
      id, std::move(request), context.reactor.executor,
      [results, knows_fenced, done = std::move(done)](TxnAnswer answer) mutable {
        txn::PartitionsAnswer all{.error = answer ? ErrorCode::kNone : answer.error()};
        if (answer) all = std::move(std::get<txn::PartitionsAnswer>(*answer));
        std::size_t i = 0;
        results->for_each([&](const std::string&, std::int32_t, ErrorCode& error) {
          error = all.error != ErrorCode::kNone ? fencing_error(all.error, knows_fenced)
                                                : all.partitions[i++];
        });
        done(std::move(results->topics));
      });
}

}  // namespace

void add_partitions_to_txn(Context& context, const wire::AddPartitionsToTxnRequest& request,
                           Reply<wire::AddPartitionsToTxnResponse> reply) {
  if (context.version < kBatchSince) {
    return ask(context,
               {.id = request.v3_and_below_transactional_id,
                .producer = producer_of(request.v3_and_below_producer_id,
                                        request.v3_and_below_producer_epoch)},
               request.v3_and_below_topics,
               [reply = std::move(reply)](std::vector<TopicResult> results) mutable {
                 wire::AddPartitionsToTxnResponse response;
                 response.results_by_topic_v3_and_below = std::move(results);
                 reply(response);
               });
  }
  struct Pending {
    Reply<wire::AddPartitionsToTxnResponse> reply;
    wire::AddPartitionsToTxnResponse response;
    std::size_t missing = 1;
    void one_done() {
      if (--missing == 0) reply(response);
    }
  };
  auto all = std::make_shared<Pending>(Pending{.reply = std::move(reply), .response = {}});
  all->response.results_by_transaction.resize(request.transactions.size());
  for (std::size_t i = 0; i < request.transactions.size(); ++i) {
    const auto& each = request.transactions[i];
    all->response.results_by_transaction[i].transactional_id = each.transactional_id;
    ++all->missing;
    ask(context,
        {.id = each.transactional_id,
         .producer = producer_of(each.producer_id, each.producer_epoch),
         .partitions = {},
         .verify_only = each.verify_only,
         .client_version = each.verify_only ? std::int16_t{0} : kImplicitVersion},
        each.topics, [all, i](std::vector<TopicResult> results) {
          all->response.results_by_transaction[i].topic_results = std::move(results);
          all->one_done();
        });
  }
  all->one_done();
}

}  // namespace broker::api
