// moldau balance status | start | pause.
#include <fmt/format.h>

#include "cli/client/admin.h"
#include "cli/client/interrupt.h"
#include "cli/command/admin_options.h"
#include "cli/command/leaf.h"
#include "cli/command/partition_move.h"
#include "cli/command/progress.h"
#include "cli/text/table.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kStepEvery{1000};
constexpr int kPlannedMax = 1000;
constexpr int kShownMax = 20;

struct StatusOptions {
  WatchOptions watch;
};
struct StartOptions {
  int at_once = 0;
  bool no_wait = false;
};
struct PauseOptions {};

using Moves = google::protobuf::RepeatedPtrField<proto::RebalanceReply::Move>;

proto::RebalanceReply rebalance(Context& context, int moves_max, bool execute) {
  proto::RebalanceRequest request;
  request.set_moves_max(moves_max);
  request.set_execute(execute);
  return context.admin().call<proto::RebalanceReply>("Admin/Rebalance", request, "balance");
}

std::vector<std::int32_t> ids(const google::protobuf::RepeatedField<std::int32_t>& field) {
  return {field.begin(), field.end()};
}

int count_under_way(Context& context) {
  int count = 0;
  for (const auto& topic : moves_under_way(context, "").topics()) count += topic.partitions_size();
  return count;
}

std::string table_of(const Moves& moves, bool color) {
  Table table({{"TOPIC"}, {"PARTITION", true}, {"FROM"}, {"TO"}});
  for (const auto& move : moves) {
    table.add({move.topic(), std::to_string(move.partition()), joined(ids(move.from()), ","),
               joined(ids(move.to()), ",")});
  }
  return table.draw(color);
}

View look(Context& context) {
  const auto planned = rebalance(context, kPlannedMax, false);
  const int under_way = count_under_way(context);
  View view;
  view.text = fmt::format(
      "{}: {} under way, {}{} to make\n",
      bold(planned.moves_size() + under_way == 0 ? "balanced" : "not balanced", context.color()),
      counted(under_way, "move"), planned.moves_size() >= kPlannedMax ? "at least " : "",
      planned.moves_size());
  Json list = Json::array();
  Moves shown;
  for (const auto& move : planned.moves()) {
    if (shown.size() < kShownMax) *shown.Add() = move;
    list.push_back({{"topic", move.topic()},
                    {"partition", move.partition()},
                    {"from", ids(move.from())},
                    {"to", ids(move.to())}});
  }
  if (!shown.empty()) view.text += "\n" + table_of(shown, context.color());
  if (planned.moves_size() > kShownMax) {
    view.text += fmt::format("and {} more\n", planned.moves_size() - kShownMax);
  }
  view.json = {{"balanced", planned.moves_size() + under_way == 0},
               {"moves_under_way", under_way},
               {"moves_planned", std::move(list)}};
  return view;
}

void show_status(const StatusOptions& options, Context& context) {
  show(context, options.watch, [&context] { return look(context); });
}

// Step by step, so that few moves are under way at a time and each step sees what the last one did.
void start_balance(const StartOptions& options, Context& context) {
  int began = rebalance(context, options.at_once, true).moves_size();
  if (!options.no_wait) {
    catch_interrupts();
    Progress progress(context, "balancing");
    while (true) {
      const int left =
          count_under_way(context) + rebalance(context, kPlannedMax, false).moves_size();
      progress.update(left, "");
      if (left == 0) break;
      pause_for(kStepEvery);
      if (interrupted()) throw Interrupted{};
      began += rebalance(context, options.at_once, true).moves_size();
    }
  }
  if (context.json()) {
    return context.print_json({{"moves", began}, {"waited", !options.no_wait}});
  }
  if (began == 0) return context.print("nothing to move: the cluster is balanced\n");
  context.print(fmt::format("{} {}\n", counted(began, "move"), options.no_wait ? "began" : "done"));
}

void pause_balance(const PauseOptions&, Context& context) {
  const int cancelled = cancel_moves(context, "", std::nullopt);
  if (context.json()) return context.print_json({{"cancelled", cancelled}});
  if (cancelled == 0) return context.print("nothing was on the move\n");
  context.print(
      fmt::format("{} undone; `moldau balance start` begins again\n", counted(cancelled, "move")));
}

}  // namespace

void add_balance_commands(CLI::App& root, Context& context) {
  CLI::App* balance =
      root.add_subcommand("balance", "Even out replicas and leaders over the brokers");
  balance->require_subcommand(1);

  auto status = std::make_shared<StatusOptions>();
  CLI::App* command = add_leaf(*balance, context, "status", "Show what is uneven and what moves",
                               status, show_status);
  add_admin_options(*command, context);
  add_watch_option(*command, status->watch);

  auto start = std::make_shared<StartOptions>();
  command = add_leaf(*balance, context, "start",
                     "Move replicas step by step until all is even; Ctrl-C stops after this step",
                     start, start_balance);
  command->add_option("--at-once", start->at_once, "Most moves at a time (default: the cluster's)")
      ->type_name("N")
      ->check(CLI::Range(1, kPlannedMax));
  command->add_flag("--no-wait", start->no_wait, "Only the first step, without waiting for it");
  add_admin_options(*command, context);

  command = add_leaf(*balance, context, "pause", "Undo the moves that are under way",
                     std::make_shared<PauseOptions>(), pause_balance);
  add_admin_options(*command, context);
}

}  // namespace cli
