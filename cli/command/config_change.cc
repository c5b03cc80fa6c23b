#include "cli/command/config_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/text/quantity.h"
#include "common/wire/msg/describe_configs_request.h"
#include "common/wire/msg/incremental_alter_configs_request.h"
#include "common/wire/msg/incremental_alter_configs_response.h"

namespace cli {
namespace {

constexpr std::int8_t kOperationSet = 0;
constexpr std::int8_t kOperationDelete = 1;

// Only a broker itself answers for its configs.
Target target_of(const ConfigResource& resource) {
  if (resource.kind == ConfigResource::Kind::kBroker && !resource.name.empty()) {
    if (auto id = parse_integer(resource.name); id && *id >= 0 && *id <= INT32_MAX) {
      return Target::broker_id(static_cast<std::int32_t>(*id));
    }
    throw usage_failure(fmt::format("'{}' is not a broker id", resource.name),
                        "see the ids with `moldau cluster info`");
  }
  if (resource.kind == ConfigResource::Kind::kGroup) return Target::coordinator(resource.name);
  return Target::any();
}

}  // namespace

std::string ConfigResource::to_string() const {
  switch (kind) {
    case Kind::kTopic:
      return "topic " + name;
    case Kind::kBroker:
      return name.empty() ? "default of all brokers" : "broker " + name;
    case Kind::kGroup:
      return "group " + name;
  }
  return name;
}

std::vector<std::pair<std::string, std::string>> parse_config_pairs(
    const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& text : texts) {
    auto pair = parse_pair(text);
    if (!pair) {
      throw usage_failure(fmt::format("'{}' is not NAME=VALUE", text),
                          "for example retention.ms=86400000");
    }
    pairs.push_back(std::move(*pair));
  }
  return pairs;
}

void change_configs(Cluster& cluster, const ConfigResource& resource,
                    const std::vector<ConfigChange>& changes, bool dry_run) {
  wire::IncrementalAlterConfigsRequest request;
  request.validate_only = dry_run;
  auto& entry = request.resources.emplace_back();
  entry.resource_type = static_cast<std::int8_t>(resource.kind);
  entry.resource_name = resource.name;
  for (const ConfigChange& change : changes) {
    entry.configs.push_back({.name = change.name,
                             .config_operation = change.value ? kOperationSet : kOperationDelete,
                             .value = change.value});
  }
  cluster.call<wire::IncrementalAlterConfigsResponse>(
      target_of(resource), request,
      [&](const wire::IncrementalAlterConfigsResponse& answer) -> std::optional<Trouble> {
        for (const auto& result : answer.responses) {
          if (result.error_code == wire::ErrorCode::kNone) continue;
          return refusal(resource.to_string(), result.error_code, result.error_message);
        }
        return std::nullopt;
      });
}

std::vector<wire::DescribeConfigsResponse::DescribeConfigsResourceResult> read_configs(
    Cluster& cluster, const ConfigResource& resource, const std::vector<std::string>& names,
    bool documentation) {
  wire::DescribeConfigsRequest request;
  request.include_synonyms = true;
  request.include_documentation = documentation;
  auto& entry = request.resources.emplace_back();
  entry.resource_type = static_cast<std::int8_t>(resource.kind);
  entry.resource_name = resource.name;
  entry.configuration_keys.reset();
  if (!names.empty()) entry.configuration_keys = names;
  auto response = cluster.call<wire::DescribeConfigsResponse>(
      target_of(resource), request,
      [&](const wire::DescribeConfigsResponse& answer) -> std::optional<Trouble> {
        if (answer.results.empty()) {
          return Trouble{resource.to_string() + ": no answer about it", {}, true};
        }
        const auto& result = answer.results.front();
        if (result.error_code == wire::ErrorCode::kNone) return std::nullopt;
        return refusal(resource.to_string(), result.error_code, result.error_message);
      });
  auto configs = std::move(response.results.front().configs);
  std::ranges::sort(configs, {}, [](const auto& config) { return config.name; });
  return configs;
}

std::string config_source_name(std::int8_t source) {
  static constexpr std::array kNames{"UNKNOWN",
                                     "DYNAMIC_TOPIC_CONFIG",
                                     "DYNAMIC_BROKER_CONFIG",
                                     "DYNAMIC_DEFAULT_BROKER_CONFIG",
                                     "STATIC_BROKER_CONFIG",
                                     "DEFAULT_CONFIG",
                                     "DYNAMIC_BROKER_LOGGER_CONFIG",
                                     "DYNAMIC_CLIENT_METRICS_CONFIG",
                                     "DYNAMIC_GROUP_CONFIG"};
  auto index = static_cast<std::size_t>(source);
  return source >= 0 && index < kNames.size() ? kNames.at(index) : kNames[0];
}

std::string config_source_text(std::int8_t source) {
  static constexpr std::array kTexts{"?",       "topic",  "broker",         "all brokers", "file",
                                     "default", "logger", "client metrics", "group"};
  auto index = static_cast<std::size_t>(source);
  return source >= 0 && index < kTexts.size() ? kTexts.at(index) : kTexts[0];
}

std::string config_type_name(std::int8_t type) {
  static constexpr std::array kNames{"UNKNOWN", "BOOLEAN", "STRING", "INT",   "SHORT",
                                     "LONG",    "DOUBLE",  "LIST",   "CLASS", "PASSWORD"};
  auto index = static_cast<std::size_t>(type);
  return type >= 0 && index < kNames.size() ? kNames.at(index) : kNames[0];
}

bool is_own_config(const ConfigResource& resource, std::int8_t source) {
  switch (resource.kind) {
    case ConfigResource::Kind::kTopic:
      return source == 1;
    case ConfigResource::Kind::kBroker:
      return source == (resource.name.empty() ? 3 : 2);
    case ConfigResource::Kind::kGroup:
      return source == 8;
  }
  return false;
}

}  // namespace cli
