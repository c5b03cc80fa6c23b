#include "cli/command/partition_move.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/client/admin.h"
#include "cli/client/interrupt.h"
#include "cli/command/progress.h"
#include "cli/command/refusals.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kAskEvery{500};

std::string name_of(const std::string& topic, std::int32_t partition) {
  return fmt::format("{}-{}", topic, partition);
}

// Of each partition that was refused; the first ones.
template <class Reply>
void throw_refusals(const Reply& reply) {
  constexpr int kToldMax = 20;
  Refusals refusals;
  int told = 0;
  for (const auto& topic : reply.topics()) {
    for (const auto& partition : topic.partitions()) {
      const auto code = static_cast<wire::ErrorCode>(partition.error().code());
      if (code == wire::ErrorCode::kNone || ++told > kToldMax) continue;
      refusals.add(
          refusal(name_of(topic.name(), partition.partition()), code, partition.error().message()));
    }
  }
  refusals.throw_if_any();
}

int count_of(const proto::ListPartitionReassignmentsReply& moves) {
  int count = 0;
  for (const auto& topic : moves.topics()) count += topic.partitions_size();
  return count;
}

proto::AlterPartitionReassignmentsReply alter(
    Context& context, const proto::AlterPartitionReassignmentsRequest& request) {
  auto reply = context.admin().call<proto::AlterPartitionReassignmentsReply>(
      "Admin/AlterPartitionReassignments", request, "reassignment");
  throw_refusals(reply);
  return reply;
}

// All partitions of a topic go to the same brokers, each with another one of them first, so that
// all of them lead.
std::vector<std::int32_t> rotated(std::vector<std::int32_t> brokers, std::int32_t by) {
  const auto first = static_cast<std::ptrdiff_t>(by) % static_cast<std::ptrdiff_t>(brokers.size());
  std::ranges::rotate(brokers, brokers.begin() + first);
  return brokers;
}

int request_moves(const MoveOptions& options, Context& context) {
  proto::AlterPartitionReassignmentsRequest request;
  auto* topic = request.add_topics();
  topic->set_name(options.topic);
  const auto add = [&](std::int32_t partition, const std::vector<std::int32_t>& brokers) {
    auto* each = topic->add_partitions();
    each->set_partition(partition);
    for (const std::int32_t id : brokers) each->mutable_replicas()->add_ids(id);
  };
  if (options.partition) {
    add(*options.partition, options.to);
  } else {
    const auto count =
        static_cast<std::int32_t>(context.cluster().topic(options.topic).partitions.size());
    for (std::int32_t i = 0; i < count; ++i) add(i, rotated(options.to, i));
  }
  alter(context, request);
  return topic->partitions_size();
}

}  // namespace

proto::ListPartitionReassignmentsReply moves_under_way(Context& context, const std::string& topic) {
  proto::ListPartitionReassignmentsRequest request;
  request.set_all(true);
  auto reply = context.admin().call<proto::ListPartitionReassignmentsReply>(
      "Admin/ListPartitionReassignments", request, "reassignments");
  if (topic.empty()) return reply;
  proto::ListPartitionReassignmentsReply of_topic;
  for (const auto& each : reply.topics()) {
    if (each.name() == topic) *of_topic.add_topics() = each;
  }
  return of_topic;
}

void wait_for_moves(Context& context, const std::string& topic, const std::string& subject) {
  catch_interrupts();
  Progress progress(context, subject);
  while (true) {
    const int left = count_of(moves_under_way(context, topic));
    progress.update(left, "");
    if (left == 0) return;
    pause_for(kAskEvery);
    if (interrupted()) throw Interrupted{};
  }
}

int cancel_moves(Context& context, const std::string& topic,
                 const std::optional<std::int32_t>& partition) {
  proto::AlterPartitionReassignmentsRequest request;
  int count = 0;
  for (const auto& moving : moves_under_way(context, topic).topics()) {
    auto* each = request.add_topics();
    each->set_name(moving.name());
    for (const auto& move : moving.partitions()) {
      if (partition && *partition != move.partition()) continue;
      each->add_partitions()->set_partition(move.partition());  // no replicas: cancel
      ++count;
    }
  }
  if (count > 0) alter(context, request);
  return count;
}

void move_partitions(const MoveOptions& options, Context& context) {
  if (options.cancel == !options.to.empty()) {
    throw usage_failure("partition move: say where to with --to, or --cancel");
  }
  int count = 0;
  if (options.cancel) {
    count = cancel_moves(context, options.topic, options.partition);
  } else {
    count = request_moves(options, context);
    if (!options.no_wait) {
      wait_for_moves(context, options.topic, fmt::format("moving {}", options.topic));
    }
  }
  const std::string_view done = options.cancel ? "cancelled" : options.no_wait ? "began" : "done";
  if (context.json()) {
    return context.print_json({{"topic", options.topic}, {"moves", count}, {"state", done}});
  }
  context.print(fmt::format("{}: {} {}\n", options.topic, counted(count, "move"), done));
}

void elect_leaders(const ElectOptions& options, Context& context) {
  if (options.unclean && options.topic.empty()) {
    throw usage_failure("partition elect --unclean: of which topic?");
  }
  if (options.unclean) {
    context.confirm(options.yes,
                    fmt::format("Elect any replica of {} that runs, and lose what only the others "
                                "hold?",
                                options.topic),
                    "an unclean election loses records");
  }
  proto::ElectLeadersRequest request;
  request.set_election_type(options.unclean ? 1 : 0);
  request.set_all(options.topic.empty());
  if (!options.topic.empty()) {
    auto* topic = request.add_topics();
    topic->set_name(options.topic);
    for (const std::int32_t each : options.partitions) topic->add_partitions(each);
    if (options.partitions.empty()) {
      const auto metadata = context.cluster().metadata(std::vector{options.topic});
      for (const auto& found : metadata.topics) {
        for (const auto& each : found.partitions) topic->add_partitions(each.partition_index);
      }
    }
  }
  auto reply =
      context.admin().call<proto::ElectLeadersReply>("Admin/ElectLeaders", request, "election");
  int elected = 0;
  for (auto& topic : *reply.mutable_topics()) {
    for (auto& partition : *topic.mutable_partitions()) {
      const auto code = static_cast<wire::ErrorCode>(partition.error().code());
      if (code == wire::ErrorCode::kNone) ++elected;
      // Who leads already needs no election: that is no failure.
      if (code == wire::ErrorCode::kElectionNotNeeded) partition.clear_error();
    }
  }
  if (context.json()) {
    context.print_json({{"elected", elected}});
  } else {
    context.print(elected == 0 ? std::string("no election was needed\n")
                               : fmt::format("{} elected\n", counted(elected, "leader")));
  }
  throw_refusals(reply);
}

}  // namespace cli
