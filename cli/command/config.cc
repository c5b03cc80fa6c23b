// moldau config get | set | delete.
#include <fmt/format.h>

#include "cli/command/config_change.h"
#include "cli/command/context.h"
#include "cli/command/leaf.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"

namespace cli {
namespace {

struct ResourceOptions {
  std::string type;
  std::string name;
};
struct GetOptions {
  ResourceOptions resource;
  std::vector<std::string> keys;
  bool own = false;
  bool docs = false;
};
struct SetOptions {
  ResourceOptions resource;
  std::vector<std::string> pairs;
  bool dry_run = false;
};
struct DeleteOptions {
  ResourceOptions resource;
  std::vector<std::string> keys;
  bool dry_run = false;
};

ConfigResource resource_of(const ResourceOptions& options) {
  using Kind = ConfigResource::Kind;
  if (options.type == "topic") return {Kind::kTopic, options.name};
  if (options.type == "group") return {Kind::kGroup, options.name};
  // The name that stands for the default of every broker is empty on the wire.
  return {Kind::kBroker, options.name == "default" ? "" : options.name};
}

using Config = wire::DescribeConfigsResponse::DescribeConfigsResourceResult;

Json to_json(const Config& config) {
  Json synonyms = Json::array();
  for (const auto& synonym : config.synonyms) {
    synonyms.push_back({{"name", synonym.name},
                        {"value", synonym.value ? Json(*synonym.value) : Json(nullptr)},
                        {"source", config_source_name(synonym.source)}});
  }
  Json json{{"name", config.name},
            {"value", config.value ? Json(*config.value) : Json(nullptr)},
            {"source", config_source_name(config.config_source)},
            {"type", config_type_name(config.config_type)},
            {"read_only", config.read_only},
            {"sensitive", config.is_sensitive},
            {"synonyms", std::move(synonyms)}};
  if (config.documentation) json["documentation"] = *config.documentation;
  return json;
}

void get_configs(const GetOptions& options, Context& context) {
  ConfigResource resource = resource_of(options.resource);
  auto configs = read_configs(context.cluster(), resource, options.keys, options.docs);
  if (options.own) {
    std::erase_if(configs, [&](const Config& config) {
      return !is_own_config(resource, config.config_source);
    });
  }
  for (const std::string& key : options.keys) {
    if (std::ranges::find(configs, key, &Config::name) == configs.end() && !options.own) {
      throw Failure(fmt::format("{} has no config {}", resource.to_string(), key),
                    "see the names with `moldau config get` without any");
    }
  }
  if (context.json()) {
    Json json = Json::array();
    for (const Config& config : configs) json.push_back(to_json(config));
    return context.print_json(json);
  }
  if (configs.empty()) {
    return context.remark(fmt::format("{}: nothing is set", resource.to_string()));
  }
  std::vector<Table::Column> columns{{"NAME"}, {"SOURCE"}, {"VALUE"}};
  if (options.docs) columns.push_back({"DOCUMENTATION"});
  Table table(std::move(columns));
  for (const Config& config : configs) {
    std::string value = config.is_sensitive ? "(hidden)" : config.value.value_or("-");
    table.add({config.name, config_source_text(config.config_source),
               value.empty() ? "\"\"" : value, config.documentation.value_or("")});
  }
  context.print(table.draw(context.color()));
}

void report(const ConfigResource& resource, const std::vector<ConfigChange>& changes, bool dry_run,
            Context& context) {
  if (context.json()) {
    Json json{{"resource", resource.to_string()}, {"changed", !dry_run}};
    for (const ConfigChange& change : changes) {
      json["configs"][change.name] = change.value ? Json(*change.value) : Json(nullptr);
    }
    return context.print_json(json);
  }
  for (const ConfigChange& change : changes) {
    std::string to = change.value ? fmt::format("{}={}", change.name, *change.value)
                                  : fmt::format("{} back to its default", change.name);
    context.print(
        fmt::format("{}: {}{}\n", resource.to_string(), dry_run ? "would set " : "set ", to));
  }
}

void apply(const ConfigResource& resource, const std::vector<ConfigChange>& changes, bool dry_run,
           Context& context) {
  change_configs(context.cluster(), resource, changes, dry_run);
  report(resource, changes, dry_run, context);
}

void set_configs(const SetOptions& options, Context& context) {
  std::vector<ConfigChange> changes;
  for (const auto& [name, value] : parse_config_pairs(options.pairs)) {
    changes.push_back({name, value});
  }
  apply(resource_of(options.resource), changes, options.dry_run, context);
}

void delete_configs(const DeleteOptions& options, Context& context) {
  std::vector<ConfigChange> changes;
  for (const std::string& key : options.keys) changes.push_back({key, std::nullopt});
  apply(resource_of(options.resource), changes, options.dry_run, context);
}

void add_resource(CLI::App& command, ResourceOptions& resource) {
  command.add_option("TYPE", resource.type, "topic, broker or group")
      ->required()
      ->check(CLI::IsMember({"topic", "broker", "group"}))
      ->type_name("");
  command
      .add_option("RESOURCE", resource.name,
                  "Name of the topic or group; id of the broker, or \"default\" for all brokers")
      ->required();
}

}  // namespace

void add_config_commands(CLI::App& root, Context& context) {
  CLI::App* config = root.add_subcommand("config", "Show and change configs of topics and brokers");
  config->require_subcommand(1);

  auto get = std::make_shared<GetOptions>();
  CLI::App* command = add_leaf(*config, context, "get", "Show configs with where each comes from",
                               get, get_configs);
  add_resource(*command, get->resource);
  command->add_option("KEY", get->keys, "Only these configs");
  command->add_flag("--own", get->own, "Only what is set on the resource itself");
  command->add_flag("--docs", get->docs, "Also what each config means");
  command->footer("Example: moldau config get topic orders retention.ms");

  auto set = std::make_shared<SetOptions>();
  command = add_leaf(*config, context, "set", "Set configs", set, set_configs);
  add_resource(*command, set->resource);
  command->add_option("NAME=VALUE", set->pairs, "What to set")->required();
  command->add_flag("--dry-run", set->dry_run, "Only ask whether it would work");
  command->footer("Example: moldau config set topic orders retention.ms=86400000");

  auto remove = std::make_shared<DeleteOptions>();
  command = add_leaf(*config, context, "delete", "Set configs back to their defaults", remove,
                     delete_configs);
  add_resource(*command, remove->resource);
  command->add_option("KEY", remove->keys, "What to set back")->required();
  command->add_flag("--dry-run", remove->dry_run, "Only ask whether it would work");
}

}  // namespace cli
