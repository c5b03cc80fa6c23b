// moldau partition list | move | elect.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/client/admin.h"
#include "cli/command/admin_options.h"
#include "cli/command/leaf.h"
#include "cli/command/partition_move.h"
#include "cli/text/table.h"

namespace cli {
namespace {

constexpr std::chrono::milliseconds kPatience{3000};

struct ListOptions {
  std::vector<std::string> topics;
  bool under_replicated = false;
  bool offline = false;
  bool moving = false;
  bool internal = false;
  WatchOptions watch;
};

using Metadata = wire::MetadataResponse::MetadataResponsePartition;
using Move = proto::ListPartitionReassignmentsReply::Partition;
using Moves = std::map<std::pair<std::string, std::int32_t>, Move>;

// Another Kafka, or a cluster without a controller, does without.
Moves find_moves(Context& context) {
  Moves moves;
  proto::ListPartitionReassignmentsRequest request;
  request.set_all(true);
  auto reply = context.admin().try_call<proto::ListPartitionReassignmentsReply>(
      "Admin/ListPartitionReassignments", request, "reassignments", kPatience);
  if (!reply) return moves;
  for (const auto& topic : reply->topics()) {
    for (const auto& partition : topic.partitions()) {
      moves[{topic.name(), partition.partition()}] = partition;
    }
  }
  return moves;
}

bool is_wanted(const ListOptions& options, const Metadata& partition, const Move* move) {
  if (!options.under_replicated && !options.offline && !options.moving) return true;
  if (options.offline && partition.leader_id < 0) return true;
  if (options.under_replicated && partition.isr_nodes.size() < partition.replica_nodes.size()) {
    return true;
  }
  return options.moving && move != nullptr;
}

std::vector<std::int32_t> ids(const google::protobuf::RepeatedField<std::int32_t>& field) {
  return {field.begin(), field.end()};
}

std::string move_text(const Move* move) {
  if (move == nullptr) return "-";
  std::string text;
  if (move->adding_size() > 0) text += "+" + joined(ids(move->adding()), ",");
  if (move->removing_size() > 0) {
    text += (text.empty() ? "-" : " -") + joined(ids(move->removing()), ",");
  }
  return text;
}

View look(const ListOptions& options, Context& context) {
  std::optional<std::vector<std::string>> topics;
  if (!options.topics.empty()) topics = options.topics;
  auto metadata = context.cluster().metadata(topics);
  const Moves moves = find_moves(context);
  std::ranges::sort(metadata.topics, {}, [](const auto& topic) { return topic.name.value_or(""); });
  Table table({{"TOPIC"},
               {"PARTITION", true},
               {"LEADER", true},
               {"EPOCH", true},
               {"REPLICAS"},
               {"IN SYNC"},
               {"MOVING"}});
  View view{.text = {}, .json = Json::array()};
  for (auto& topic : metadata.topics) {
    const std::string name = topic.name.value_or("");
    if (topic.error_code != wire::ErrorCode::kNone) {
      throw Failure(refusal("topic " + name, topic.error_code).what);
    }
    if (topic.is_internal && !options.internal && options.topics.empty()) continue;
    std::ranges::sort(topic.partitions, {}, &Metadata::partition_index);
    for (const Metadata& partition : topic.partitions) {
      const auto found = moves.find({name, partition.partition_index});
      const Move* move = found == moves.end() ? nullptr : &found->second;
      if (!is_wanted(options, partition, move)) continue;
      const bool led = partition.leader_id >= 0;
      table.add({name, std::to_string(partition.partition_index),
                 led ? std::to_string(partition.leader_id) : "none",
                 std::to_string(partition.leader_epoch), joined(partition.replica_nodes, ","),
                 joined(partition.isr_nodes, ","), move_text(move)});
      view.json.push_back(
          {{"topic", name},
           {"partition", partition.partition_index},
           {"leader", led ? Json(partition.leader_id) : Json(nullptr)},
           {"leader_epoch", partition.leader_epoch},
           {"replicas", partition.replica_nodes},
           {"in_sync", partition.isr_nodes},
           {"adding", move ? ids(move->adding()) : std::vector<std::int32_t>{}},
           {"removing", move ? ids(move->removing()) : std::vector<std::int32_t>{}}});
    }
  }
  view.text = table.empty() ? "none\n" : table.draw(context.color());
  return view;
}

void list_partitions(const ListOptions& options, Context& context) {
  show(context, options.watch, [&] { return look(options, context); });
}

void add_list(CLI::App& partition, Context& context) {
  auto list = std::make_shared<ListOptions>();
  CLI::App* command = add_leaf(partition, context, "list", "List partitions and their replicas",
                               list, list_partitions);
  command->add_option("TOPIC", list->topics, "Only of these topics");
  command->add_flag("--under-replicated", list->under_replicated,
                    "Only those with replicas that are not in sync");
  command->add_flag("--offline", list->offline, "Only those without a leader");
  command->add_flag("--moving", list->moving, "Only those on the move to other brokers");
  command->add_flag("--internal", list->internal, "The cluster's own topics too");
  add_admin_options(*command, context);
  add_watch_option(*command, list->watch);
}

}  // namespace

void add_partition_commands(CLI::App& root, Context& context) {
  CLI::App* partition =
      root.add_subcommand("partition", "List partitions, move replicas, elect leaders");
  partition->require_subcommand(1);
  add_list(*partition, context);

  auto move = std::make_shared<MoveOptions>();
  CLI::App* command = add_leaf(*partition, context, "move",
                               "Move replicas to other brokers, and wait", move, move_partitions);
  command->add_option("TOPIC", move->topic, "The topic")->required();
  command->add_option("PARTITION", move->partition, "Only this partition (default: all of them)");
  command
      ->add_option("--to", move->to, "The brokers that shall hold it, the preferred leader first")
      ->type_name("ID,...")
      ->delimiter(',');
  command->add_flag("--cancel", move->cancel, "Go back to where the replicas were");
  command->add_flag("--no-wait", move->no_wait, "Only begin");
  add_admin_options(*command, context);

  auto elect = std::make_shared<ElectOptions>();
  command = add_leaf(*partition, context, "elect",
                     "Give the leadership back to the preferred replicas", elect, elect_leaders);
  command->add_option("TOPIC", elect->topic, "Only of this topic (default: all)");
  command->add_option("PARTITION", elect->partitions, "Only these partitions");
  command->add_flag("--unclean", elect->unclean,
                    "Elect even a replica that lacks records, where no other runs");
  command->add_flag("-y,--yes", elect->yes, "Do not ask");
  add_admin_options(*command, context);
}

}  // namespace cli
