// moldau topic create | list | alter | delete (describe: topic_describe.cc).
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/client/interrupt.h"
#include "cli/client/offsets.h"
#include "cli/command/config_change.h"
#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/command/refusals.h"
#include "cli/command/topic_describe.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"
#include "common/wire/msg/create_partitions_request.h"
#include "common/wire/msg/create_partitions_response.h"
#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"
#include "common/wire/msg/delete_topics_request.h"
#include "common/wire/msg/delete_topics_response.h"

namespace cli {
namespace {

using wire::ErrorCode;

// ---- create

struct CreateOptions {
  std::vector<std::string> names;
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  std::vector<std::string> configs;
  bool if_not_exists = false;
  bool dry_run = false;
};

// A topic that was just made takes a moment to reach every broker; the next command should not
// stumble over that. Gives up quietly.
void await_visible(Cluster& cluster, const std::string& name) {
  Deadline until = cluster.deadline().within(std::chrono::milliseconds(5000));
  while (!until.passed()) {
    auto topic = cluster.try_topic(name, false, until);
    if (topic) {
      auto starts = list_offsets_leniently(cluster, *topic, kEarliest);
      if (std::ranges::all_of(starts, [](const auto& start) { return start.has_value(); })) return;
    }
    pause_for(std::chrono::milliseconds(20));
  }
}

wire::CreateTopicsRequest create_request(const CreateOptions& options, Cluster& cluster) {
  wire::CreateTopicsRequest request;
  request.timeout_ms = cluster.timeout_ms();
  request.validate_only = options.dry_run;
  for (const std::string& name : options.names) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = options.partitions;
    topic.replication_factor = options.replication_factor;
    for (const auto& [key, value] : parse_config_pairs(options.configs)) {
      topic.configs.push_back({.name = key, .value = value});
    }
  }
  return request;
}

void create_topics(const CreateOptions& options, Context& context) {
  Cluster& cluster = context.cluster();
  // Leaving the counts to the broker came with version 4.
  bool counts_left_out = options.partitions < 0 || options.replication_factor < 0;
  auto response = cluster.call<wire::CreateTopicsResponse>(
      Target::controller(), create_request(options, cluster),
      [](const wire::CreateTopicsResponse& answer) -> std::optional<Trouble> {
        for (const auto& topic : answer.topics) {
          if (topic.error_code == ErrorCode::kNotController) {
            return refusal("topic " + topic.name, topic.error_code);
          }
        }
        return std::nullopt;
      },
      {.min = static_cast<std::int16_t>(counts_left_out ? 4 : 0)});
  Json json = Json::array();
  std::string text;
  Refusals refusals;
  for (const auto& topic : response.topics) {
    bool existed = topic.error_code == ErrorCode::kTopicAlreadyExists && options.if_not_exists;
    if (topic.error_code != ErrorCode::kNone && !existed) {
      refusals.add(refusal("topic " + topic.name, topic.error_code, topic.error_message));
      continue;
    }
    Json entry{{"name", topic.name}, {"created", !existed && !options.dry_run}};
    if (existed) {
      text += fmt::format("topic {} exists already\n", topic.name);
    } else {
      text += fmt::format("{} topic {}", options.dry_run ? "would create" : "created", topic.name);
      if (topic.num_partitions >= 0) {
        text += fmt::format(" ({}, replication factor {})",
                            counted(topic.num_partitions, "partition"), topic.replication_factor);
        entry["partitions"] = topic.num_partitions;
        entry["replication_factor"] = topic.replication_factor;
      }
      text += '\n';
      if (!topic.topic_id.is_zero()) entry["topic_id"] = topic.topic_id.to_string();
      if (!options.dry_run) await_visible(cluster, topic.name);
    }
    json.push_back(std::move(entry));
  }
  if (context.json()) {
    context.print_json(json);
  } else {
    context.print(text);
  }
  refusals.throw_if_any();
}

// ---- list

struct ListOptions {
  bool internal = false;
};

void list_topics(const ListOptions& options, Context& context) {
  auto metadata = context.cluster().metadata(std::nullopt);
  std::ranges::sort(metadata.topics, {}, [](const auto& topic) { return topic.name.value_or(""); });
  Table table({{"NAME"}, {"PARTITIONS", true}, {"REPLICAS", true}});
  Json json = Json::array();
  for (const auto& topic : metadata.topics) {
    if (topic.is_internal && !options.internal) continue;
    std::size_t replicas = topic.partitions.empty() ? 0 : topic.partitions[0].replica_nodes.size();
    table.add({topic.name.value_or(""), std::to_string(topic.partitions.size()),
               std::to_string(replicas)});
    json.push_back({{"name", topic.name.value_or("")},
                    {"topic_id", topic.topic_id.to_string()},
                    {"internal", topic.is_internal},
                    {"partitions", topic.partitions.size()},
                    {"replication_factor", replicas}});
  }
  if (context.json()) return context.print_json(json);
  if (table.empty()) return context.remark("no topics yet: make one with `moldau topic create`");
  context.print(table.draw(context.color()));
}

// ---- alter

struct AlterOptions {
  std::string name;
  std::int32_t partitions = -1;
  std::vector<std::string> configs;
  std::vector<std::string> delete_configs;
  bool dry_run = false;
};

void grow_topic(const AlterOptions& options, Context& context) {
  Cluster& cluster = context.cluster();
  wire::CreatePartitionsRequest request;
  request.timeout_ms = cluster.timeout_ms();
  request.validate_only = options.dry_run;
  request.topics.push_back(
      {.name = options.name, .count = options.partitions, .assignments = std::nullopt});
  cluster.call<wire::CreatePartitionsResponse>(
      Target::controller(), request,
      [&](const wire::CreatePartitionsResponse& answer) -> std::optional<Trouble> {
        for (const auto& topic : answer.results) {
          if (topic.error_code == ErrorCode::kNone) continue;
          return refusal("topic " + topic.name, topic.error_code, topic.error_message);
        }
        return std::nullopt;
      });
}

void alter_topic(const AlterOptions& options, Context& context) {
  std::vector<ConfigChange> changes;
  for (const auto& [key, value] : parse_config_pairs(options.configs)) {
    changes.push_back({key, value});
  }
  for (const std::string& key : options.delete_configs) changes.push_back({key, std::nullopt});
  if (options.partitions < 0 && changes.empty()) {
    throw usage_failure(fmt::format("topic {}: nothing to change", options.name),
                        "give --partitions, --config or --delete-config");
  }
  if (options.partitions >= 0) grow_topic(options, context);
  if (!changes.empty()) {
    change_configs(context.cluster(), {ConfigResource::Kind::kTopic, options.name}, changes,
                   options.dry_run);
  }
  if (context.json()) {
    return context.print_json({{"name", options.name}, {"altered", !options.dry_run}});
  }
  context.print(
      fmt::format("{} topic {}\n", options.dry_run ? "would alter" : "altered", options.name));
}

// ---- delete

struct DeleteOptions {
  std::vector<std::string> names;
  bool if_exists = false;
  bool yes = false;
};

// What of it exists; the others are refusals, or nothing with --if-exists.
std::vector<std::string> existing(const DeleteOptions& options, Context& context,
                                  Refusals& refusals, std::int64_t& partitions) {
  auto metadata = context.cluster().metadata(options.names);
  std::vector<std::string> names;
  for (const auto& topic : metadata.topics) {
    std::string name = topic.name.value_or("");
    if (topic.error_code == ErrorCode::kUnknownTopicOrPartition) {
      if (!options.if_exists) refusals.add(refusal("topic " + name, topic.error_code));
    } else {
      names.push_back(name);
      partitions += static_cast<std::int64_t>(topic.partitions.size());
    }
  }
  return names;
}

void delete_topics(const DeleteOptions& options, Context& context) {
  Cluster& cluster = context.cluster();
  Refusals refusals;
  std::int64_t partitions = 0;
  auto names = existing(options, context, refusals, partitions);
  std::string what =
      fmt::format("{} {} with {} and all their records", names.size() == 1 ? "topic" : "topics",
                  joined(names), counted(partitions, "partition"));
  if (names.empty()) {
    refusals.throw_if_any();
  } else {
    context.confirm(options.yes, fmt::format("Delete {}?", what),
                    fmt::format("not deleting {}", what));
  }
  Json json = Json::array();
  std::string text;
  if (!names.empty()) {
    wire::DeleteTopicsRequest request;
    request.timeout_ms = cluster.timeout_ms();
    request.topic_names = names;
    for (const std::string& name : names) request.topics.emplace_back().name = name;
    auto response = cluster.call<wire::DeleteTopicsResponse>(
        Target::controller(), request,
        [](const wire::DeleteTopicsResponse& answer) -> std::optional<Trouble> {
          for (const auto& topic : answer.responses) {
            if (topic.error_code == ErrorCode::kNotController) {
              return refusal("topic " + topic.name.value_or(""), topic.error_code);
            }
          }
          return std::nullopt;
        });
    for (const auto& topic : response.responses) {
      std::string name = topic.name.value_or("");
      if (topic.error_code == ErrorCode::kNone) {
        text += fmt::format("deleted topic {}\n", name);
        json.push_back({{"name", name}, {"deleted", true}});
      } else if (topic.error_code != ErrorCode::kUnknownTopicOrPartition || !options.if_exists) {
        refusals.add(refusal("topic " + name, topic.error_code, topic.error_message));
      }
    }
  }
  for (const std::string& name : options.names) {
    if (std::ranges::find(names, name) != names.end() || !options.if_exists) continue;
    text += fmt::format("topic {} does not exist\n", name);
    json.push_back({{"name", name}, {"deleted", false}});
  }
  if (context.json()) {
    context.print_json(json);
  } else {
    context.print(text);
  }
  refusals.throw_if_any();
}

// ---- the tree

void add_create(CLI::App& topic, Context& context) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* create = add_leaf(topic, context, "create", "Create topics", options, create_topics);
  create->add_option("NAME", options->names, "Names of the topics")->required();
  create->add_option("-p,--partitions", options->partitions, "Partitions (default: the broker's)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  create
      ->add_option("-r,--replication-factor", options->replication_factor,
                   "Replicas of each partition (default: the broker's)")
      ->type_name("N")
      ->check(CLI::Range(1, 32767));
  add_repeatable(*create, "-c,--config", options->configs, "A topic config", "NAME=VALUE");
  create->add_flag("--if-not-exists", options->if_not_exists, "Accept topics that exist already");
  create->add_flag("--dry-run", options->dry_run, "Only ask whether it would work");
  create->footer(
      "Example: moldau topic create orders -p 6 -r 3 -c retention.ms=86400000 -c "
      "cleanup.policy=compact");
}

void add_list(CLI::App& topic, Context& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* list = add_leaf(topic, context, "list", "List topics", options, list_topics);
  list->add_flag("-i,--internal", options->internal, "Also the cluster's own topics");
}

void add_describe(CLI::App& topic, Context& context) {
  auto options = std::make_shared<DescribeTopicOptions>();
  CLI::App* describe = add_leaf(topic, context, "describe",
                                "Show partitions, leaders, replicas, offsets, sizes and configs",
                                options, describe_topics);
  describe->add_option("TOPIC", options->names, "Topics to describe")->required();
  describe->add_flag("--all-configs", options->all_configs, "Also configs that have their default");
  describe->add_flag("--under-replicated-partitions", options->under_replicated,
                     "Only partitions with a replica out of sync");
  describe->add_flag("--unavailable-partitions", options->unavailable,
                     "Only partitions without a leader");
}

void add_alter(CLI::App& topic, Context& context) {
  auto options = std::make_shared<AlterOptions>();
  CLI::App* alter =
      add_leaf(topic, context, "alter", "Add partitions, change configs", options, alter_topic);
  alter->add_option("TOPIC", options->name, "Topic to change")->required();
  alter
      ->add_option("-p,--partitions", options->partitions,
                   "New number of partitions, more than now (keys move to other partitions)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  add_repeatable(*alter, "-c,--config", options->configs, "Set a config", "NAME=VALUE");
  add_repeatable(*alter, "--delete-config", options->delete_configs,
                 "Set a config back to its default", "NAME");
  alter->add_flag("--dry-run", options->dry_run, "Only ask whether it would work");
}

void add_delete(CLI::App& topic, Context& context) {
  auto options = std::make_shared<DeleteOptions>();
  CLI::App* remove = add_leaf(topic, context, "delete", "Delete topics with all their records",
                              options, delete_topics);
  remove->add_option("TOPIC", options->names, "Topics to delete")->required();
  remove->add_flag("--if-exists", options->if_exists, "Accept topics that do not exist");
  remove->add_flag("-y,--yes", options->yes, "Do not ask");
}

}  // namespace

std::vector<std::string> topic_names(Context& context) {
  std::vector<std::string> names;
  for (const auto& topic : context.cluster().metadata(std::nullopt).topics) {
    if (!topic.is_internal) names.push_back(topic.name.value_or(""));
  }
  return names;
}

void add_topic_commands(CLI::App& root, Context& context) {
  CLI::App* topic = root.add_subcommand("topic", "Create, list, describe, alter and delete topics");
  topic->require_subcommand(1);
  add_create(*topic, context);
  add_list(*topic, context);
  add_describe(*topic, context);
  add_alter(*topic, context);
  add_delete(*topic, context);
}

}  // namespace cli
