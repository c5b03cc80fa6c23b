// moldau txn list | describe | abort.
#include <fmt/format.h>

#include <algorithm>

#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/command/refusals.h"
#include "cli/text/table.h"
#include "cli/text/when.h"
#include "common/wire/msg/describe_transactions_request.h"
#include "common/wire/msg/describe_transactions_response.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/list_transactions_request.h"
#include "common/wire/msg/list_transactions_response.h"

namespace cli {
namespace {

using wire::ErrorCode;
using Transaction = wire::DescribeTransactionsResponse::TransactionState;

struct ListOptions {
  std::vector<std::string> states;
};
struct NamesOptions {
  std::vector<std::string> ids;
};
struct AbortOptions {
  std::vector<std::string> ids;
  bool yes = false;
};

struct Listed {
  wire::ListTransactionsResponse::TransactionState facts;
  std::int32_t coordinator = -1;
};

// Each broker knows the transactional ids that it coordinates.
std::vector<Listed> all_transactions(Cluster& cluster, const ListOptions& options) {
  auto metadata = cluster.metadata(std::vector<std::string>());
  std::vector<Listed> listed;
  wire::ListTransactionsRequest request;
  request.state_filters = options.states;
  for (const auto& broker : metadata.brokers) {
    auto response = cluster.call<wire::ListTransactionsResponse>(
        Target::broker_id(broker.node_id), request,
        [&](const wire::ListTransactionsResponse& answer) -> std::optional<Trouble> {
          if (answer.error_code == ErrorCode::kNone) return std::nullopt;
          return refusal(fmt::format("transactions of broker {}", broker.node_id),
                         answer.error_code);
        });
    if (!response.unknown_state_filters.empty()) {
      throw usage_failure("no such state: " + joined(response.unknown_state_filters),
                          "states are Empty, Ongoing, PrepareCommit, PrepareAbort, "
                          "CompleteCommit, CompleteAbort");
    }
    for (auto& facts : response.transaction_states) {
      listed.push_back({std::move(facts), broker.node_id});
    }
  }
  std::ranges::sort(listed, {}, [](const Listed& one) { return one.facts.transactional_id; });
  return listed;
}

void list_transactions(const ListOptions& options, Context& context) {
  Table table({{"TRANSACTIONAL-ID"}, {"STATE"}, {"PRODUCER-ID", true}, {"COORDINATOR", true}});
  Json json = Json::array();
  for (const Listed& one : all_transactions(context.cluster(), options)) {
    table.add({one.facts.transactional_id, one.facts.transaction_state,
               std::to_string(one.facts.producer_id), std::to_string(one.coordinator)});
    json.push_back({{"transactional_id", one.facts.transactional_id},
                    {"state", one.facts.transaction_state},
                    {"producer_id", one.facts.producer_id},
                    {"coordinator", one.coordinator}});
  }
  if (context.json()) return context.print_json(json);
  if (table.empty()) return context.remark("no transactional ids");
  context.print(table.draw(context.color()));
}

Transaction describe(Cluster& cluster, const std::string& id) {
  wire::DescribeTransactionsRequest request;
  request.transactional_ids = {id};
  const std::string subject = "transactional id " + id;
  auto response = cluster.call<wire::DescribeTransactionsResponse>(
      Target::transaction(id), request,
      [&](const wire::DescribeTransactionsResponse& answer) -> std::optional<Trouble> {
        if (answer.transaction_states.empty()) return Trouble{subject + ": no answer about it"};
        const ErrorCode error = answer.transaction_states.front().error_code;
        if (error == ErrorCode::kNone) return std::nullopt;
        return refusal(subject, error);
      });
  return std::move(response.transaction_states.front());
}

std::string started(const Transaction& transaction) {
  return format_when(base::WallMs(transaction.transaction_start_time_ms));
}

Json to_json(const Transaction& transaction) {
  Json partitions = Json::array();
  for (const auto& topic : transaction.topics) {
    for (std::int32_t partition : topic.partitions) {
      partitions.push_back({{"topic", topic.topic}, {"partition", partition}});
    }
  }
  const bool has_begun = transaction.transaction_start_time_ms >= 0;
  return {{"transactional_id", transaction.transactional_id},
          {"state", transaction.transaction_state},
          {"producer_id", transaction.producer_id},
          {"producer_epoch", transaction.producer_epoch},
          {"timeout_ms", transaction.transaction_timeout_ms},
          {"started", has_begun ? Json(started(transaction)) : Json(nullptr)},
          {"partitions", std::move(partitions)}};
}

std::string to_text(const Transaction& transaction, bool color) {
  Facts facts;
  facts.add("Transactional id", transaction.transactional_id);
  facts.add("State", transaction.transaction_state);
  facts.add("Producer",
            fmt::format("{} epoch {}", transaction.producer_id, transaction.producer_epoch));
  facts.add("Timeout", fmt::format("{} ms", transaction.transaction_timeout_ms));
  facts.add("Started", started(transaction));
  Table table({{"TOPIC"}, {"PARTITIONS"}});
  for (const auto& topic : transaction.topics) table.add({topic.topic, joined(topic.partitions)});
  return facts.draw(color) + (table.empty() ? "" : "\n" + table.draw(color));
}

void describe_transactions(const NamesOptions& options, Context& context) {
  Json json = Json::array();
  std::string text;
  for (const std::string& id : options.ids) {
    const Transaction found = describe(context.cluster(), id);
    json.push_back(to_json(found));
    text += (text.empty() ? "" : "\n") + to_text(found, context.color());
  }
  if (context.json()) return context.print_json(json);
  context.print(text);
}

// A new epoch is what a new producer of that id takes: its predecessor's transaction is aborted and
// itself fenced. CONCURRENT_TRANSACTIONS until that is over: call() asks again.
void fence(Cluster& cluster, const Transaction& open) {
  wire::InitProducerIdRequest request;
  request.transactional_id = open.transactional_id;
  request.transaction_timeout_ms = open.transaction_timeout_ms;
  cluster.call<wire::InitProducerIdResponse>(
      Target::transaction(open.transactional_id), request,
      [&](const wire::InitProducerIdResponse& answer) -> std::optional<Trouble> {
        if (answer.error_code == ErrorCode::kNone) return std::nullopt;
        return refusal("transactional id " + open.transactional_id, answer.error_code);
      });
}

void abort_transactions(const AbortOptions& options, Context& context) {
  const std::string what =
      fmt::format("the open {} of {}", options.ids.size() == 1 ? "transaction" : "transactions",
                  joined(options.ids));
  context.confirm(options.yes, fmt::format("Abort {} and fence the producer?", what),
                  fmt::format("not aborting {}", what));
  Refusals refusals;
  Json json = Json::array();
  std::string text;
  for (const std::string& id : options.ids) {
    const Transaction found = describe(context.cluster(), id);
    if (found.transaction_state != "Ongoing") {
      refusals.add({.what = fmt::format("transactional id {}: no transaction is open (state {})",
                                        id, found.transaction_state),
                    .hint = "see which are with `moldau txn list --state Ongoing`"});
      continue;
    }
    fence(context.cluster(), found);
    text += fmt::format("aborted the transaction of {}\n", id);
    json.push_back({{"transactional_id", id}, {"aborted", true}});
  }
  if (context.json()) {
    context.print_json(json);
  } else {
    context.print(text);
  }
  refusals.throw_if_any();
}

}  // namespace

void add_txn_commands(CLI::App& root, Context& context) {
  CLI::App* txn = root.add_subcommand("txn", "List, describe and abort transactions");
  txn->require_subcommand(1);

  auto list = std::make_shared<ListOptions>();
  CLI::App* command =
      add_leaf(*txn, context, "list", "List transactional ids", list, list_transactions);
  add_repeatable(*command, "--state", list->states, "Only those in this state", "STATE");

  auto names = std::make_shared<NamesOptions>();
  command = add_leaf(*txn, context, "describe", "Show state, producer and partitions", names,
                     describe_transactions);
  command->add_option("ID", names->ids, "Transactional ids")->required();

  auto abort = std::make_shared<AbortOptions>();
  command = add_leaf(*txn, context, "abort", "Abort open transactions and fence their producers",
                     abort, abort_transactions);
  command->add_option("ID", abort->ids, "Transactional ids")->required();
  command->add_flag("-y,--yes", abort->yes, "Do not ask");
}

}  // namespace cli
