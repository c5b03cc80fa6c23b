// moldau group list | delete (describe: group_describe.cc; seek: group_seek.cc).
#include <fmt/format.h>

#include <algorithm>

#include "cli/command/context.h"
#include "cli/command/group_describe.h"
#include "cli/command/group_seek.h"
#include "cli/command/leaf.h"
#include "cli/command/refusals.h"
#include "cli/text/table.h"
#include "common/wire/msg/delete_groups_request.h"
#include "common/wire/msg/delete_groups_response.h"
#include "common/wire/msg/list_groups_request.h"
#include "common/wire/msg/list_groups_response.h"

namespace cli {
namespace {

struct ListOptions {
  std::vector<std::string> states;
};
struct DeleteOptions {
  std::vector<std::string> names;
  bool yes = false;
};

struct ListedGroup {
  wire::ListGroupsResponse::ListedGroup facts;
  std::int32_t coordinator = -1;
};

// Each broker knows the groups that it coordinates.
std::vector<ListedGroup> all_groups(Cluster& cluster, const ListOptions& options) {
  auto metadata = cluster.metadata(std::vector<std::string>());
  std::vector<ListedGroup> groups;
  wire::ListGroupsRequest request;
  request.states_filter = options.states;
  Versions versions;
  if (!options.states.empty()) versions.min = 4;
  for (const auto& broker : metadata.brokers) {
    auto response = cluster.call<wire::ListGroupsResponse>(
        Target::broker_id(broker.node_id), request,
        [&](const wire::ListGroupsResponse& answer) -> std::optional<Trouble> {
          if (answer.error_code == wire::ErrorCode::kNone) return std::nullopt;
          return refusal(fmt::format("groups of broker {}", broker.node_id), answer.error_code);
        },
        versions);
    for (auto& group : response.groups) groups.push_back({std::move(group), broker.node_id});
  }
  std::ranges::sort(groups, {}, [](const ListedGroup& group) { return group.facts.group_id; });
  return groups;
}

void list_groups(const ListOptions& options, Context& context) {
  auto groups = all_groups(context.cluster(), options);
  Table table({{"GROUP"}, {"TYPE"}, {"PROTOCOL"}, {"STATE"}, {"COORDINATOR", true}});
  Json json = Json::array();
  for (const ListedGroup& group : groups) {
    const auto& facts = group.facts;
    auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
    table.add({facts.group_id, or_dash(facts.group_type), or_dash(facts.protocol_type),
               or_dash(facts.group_state), std::to_string(group.coordinator)});
    json.push_back({{"group", facts.group_id},
                    {"type", facts.group_type},
                    {"protocol", facts.protocol_type},
                    {"state", facts.group_state},
                    {"coordinator", group.coordinator}});
  }
  if (context.json()) return context.print_json(json);
  if (table.empty()) return context.remark("no groups");
  context.print(table.draw(context.color()));
}

void delete_groups(const DeleteOptions& options, Context& context) {
  std::string what =
      fmt::format("{} {} with {} committed offsets", options.names.size() == 1 ? "group" : "groups",
                  joined(options.names), options.names.size() == 1 ? "its" : "their");
  context.confirm(options.yes, fmt::format("Delete {}?", what),
                  fmt::format("not deleting {}", what));
  Refusals refusals;
  Json json = Json::array();
  std::string text;
  for (const std::string& name : options.names) {
    wire::DeleteGroupsRequest request;
    request.groups_names = {name};
    auto response = context.cluster().call<wire::DeleteGroupsResponse>(
        Target::coordinator(name), request,
        [&](const wire::DeleteGroupsResponse& answer) -> std::optional<Trouble> {
          if (answer.results.empty()) return Trouble{"group " + name + ": no answer about it"};
          const auto& result = answer.results.front();
          Trouble trouble = refusal("group " + name, result.error_code, result.error_message);
          // What will not change by asking again is told with the other groups' results.
          if (result.error_code == wire::ErrorCode::kNone || !trouble.retriable)
            return std::nullopt;
          return trouble;
        });
    const auto& result = response.results.front();
    if (result.error_code != wire::ErrorCode::kNone) {
      refusals.add(refusal("group " + name, result.error_code, result.error_message));
      continue;
    }
    text += fmt::format("deleted group {}\n", name);
    json.push_back({{"group", name}, {"deleted", true}});
  }
  if (context.json()) {
    context.print_json(json);
  } else {
    context.print(text);
  }
  refusals.throw_if_any();
}

}  // namespace

std::vector<std::string> group_names(Context& context) {
  std::vector<std::string> names;
  for (const ListedGroup& group : all_groups(context.cluster(), {})) {
    names.push_back(group.facts.group_id);
  }
  return names;
}

void add_group_commands(CLI::App& root, Context& context) {
  CLI::App* group = root.add_subcommand("group", "List, describe, move and delete consumer groups");
  group->require_subcommand(1);

  auto list = std::make_shared<ListOptions>();
  CLI::App* command = add_leaf(*group, context, "list", "List consumer groups", list, list_groups);
  add_repeatable(*command, "--state", list->states, "Only groups in this state", "STATE");

  auto describe = std::make_shared<DescribeGroupOptions>();
  command = add_leaf(*group, context, "describe", "Show offsets, lag and members", describe,
                     describe_groups);
  command->add_option("GROUP", describe->names, "Names of the groups")->required();
  command->add_flag("-m,--members", describe->members, "Show the members instead of the offsets");

  auto seek = std::make_shared<SeekGroupOptions>();
  command = add_leaf(*group, context, "seek", "Move what a group without members reads next", seek,
                     seek_group);
  command->add_option("GROUP", seek->group, "Name of the group")->required();
  command->add_option("--to", seek->to, "beginning, end, N, -N or s@TIME")
      ->type_name("WHERE")
      ->required();
  add_repeatable(*command, "--topic", seek->topics, "Only this topic, or TOPIC:PARTITION", "TOPIC");
  command->add_flag("--execute", seek->execute, "Do it; else only show it");

  auto remove = std::make_shared<DeleteOptions>();
  command = add_leaf(*group, context, "delete", "Delete groups without members, with their offsets",
                     remove, delete_groups);
  command->add_option("GROUP", remove->names, "Names of the groups")->required();
  command->add_flag("-y,--yes", remove->yes, "Do not ask");
}

}  // namespace cli
