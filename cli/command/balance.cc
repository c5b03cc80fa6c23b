// moldau balance status | start | pause.
#include <fmt/format.h>

#include "cli/client/admin.h"
#include "cli/client/interrupt.h"
#include "cli/command/admin_options.h"
#include "cli/command/copying.h"
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
  bool no_wait = false;
};
struct PauseOptions {};

using Moves = google::protobuf::RepeatedPtrField<proto::RebalanceReply::Move>;

enum class Wish : std::uint8_t { kLook, kBegin, kPause };

proto::RebalanceReply rebalance(Context& context, Wish wish) {
  proto::RebalanceRequest request;
  request.set_moves_max(wish == Wish::kLook ? kPlannedMax : 0);
  request.set_execute(wish == Wish::kBegin);
  request.set_pause(wish == Wish::kPause);
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

// While it is still balancing with nothing left to move, leaderships go to the preferred replicas.
bool is_balanced(const proto::RebalanceReply& planned, int under_way) {
  return planned.moves_size() + under_way == 0 && !planned.balancing();
}

std::string state_of(const proto::RebalanceReply& planned, int under_way) {
  if (is_balanced(planned, under_way) && planned.waits_for().empty()) return "balanced";
  if (!planned.balancing()) return "not balanced";
  return planned.waits_for().empty() ? "balancing" : "balancing, waits";
}

View look(Context& context) {
  const auto planned = rebalance(context, Wish::kLook);
  const int under_way = count_under_way(context);
  View view;
  view.text =
      fmt::format("{}: {} under way, {}{} to make\n",
                  bold(state_of(planned, under_way), context.color()), counted(under_way, "move"),
                  planned.moves_size() >= kPlannedMax ? "at least " : "", planned.moves_size());
  if (const std::string copying = human_copying(planned.progress()); !copying.empty()) {
    view.text += copying + "\n";
  }
  if (!planned.waits_for().empty()) {
    view.text += fmt::format("nothing is begun while this lasts: {}\n", planned.waits_for());
  }
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
  view.json = {{"balanced", is_balanced(planned, under_way)},
               {"balancing", planned.balancing()},
               {"waits_for", planned.waits_for()},
               {"moves_under_way", under_way},
               {"copying", copying_json_of(planned)},
               {"moves_planned", std::move(list)}};
  return view;
}

void show_status(const StatusOptions& options, Context& context) {
  show(context, options.watch, [&context] { return look(context); });
}

// The controller goes on by itself; this only watches.
void start_balance(const StartOptions& options, Context& context) {
  auto seen = rebalance(context, Wish::kBegin);
  const bool anything = seen.moves_size() > 0 || !seen.waits_for().empty();
  if (!options.no_wait) {
    catch_interrupts();
    Progress progress(context, "balancing");
    while (seen.balancing()) {
      seen = rebalance(context, Wish::kLook);
      const std::string why =
          seen.waits_for().empty() ? "" : fmt::format("waits: {}", seen.waits_for());
      progress.update(count_under_way(context) + seen.moves_size(), why,
                      human_copying(seen.progress()));
      if (!seen.balancing()) break;
      pause_for(kStepEvery);
      if (!interrupted()) continue;
      context.remark("hint: it goes on; `moldau balance pause` ends it");
      throw Interrupted{};
    }
  }
  if (context.json()) {
    return context.print_json({{"balancing", seen.balancing()}, {"waited", !options.no_wait}});
  }
  if (!anything) return context.print("nothing to move: the cluster is balanced\n");
  context.print(options.no_wait ? "begun\n" : "balanced\n");
}

void pause_balance(const PauseOptions&, Context& context) {
  rebalance(context, Wish::kPause);
  const int cancelled = cancel_moves(context, "", std::nullopt);
  if (context.json()) return context.print_json({{"cancelled", cancelled}});
  if (cancelled == 0) return context.print("nothing was on the move\n");
  context.print(
      fmt::format("{} undone; `moldau balance start` begins again\n", counted(cancelled, "move")));
}

}  // namespace

void add_balance_commands(CLI::App& root, Context& context) {
  CLI::App* balance =
      root.add_subcommand("balance", "Even out replicas, leaders and bytes over the brokers");
  balance->require_subcommand(1);

  auto status = std::make_shared<StatusOptions>();
  CLI::App* command = add_leaf(*balance, context, "status", "Show what is uneven and what moves",
                               status, show_status);
  add_admin_options(*command, context);
  add_watch_option(*command, status->watch);

  auto start = std::make_shared<StartOptions>();
  command = add_leaf(*balance, context, "start",
                     "Move replicas, a few at a time, until all is even", start, start_balance);
  command->add_flag("--no-wait", start->no_wait, "Only begin");
  add_admin_options(*command, context);

  command = add_leaf(*balance, context, "pause", "Begin no further move, and undo those under way",
                     std::make_shared<PauseOptions>(), pause_balance);
  add_admin_options(*command, context);
}

}  // namespace cli
