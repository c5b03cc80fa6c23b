// Reading and changing configs of topics and brokers.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/client/cluster.h"
#include "common/wire/msg/describe_configs_response.h"

namespace cli {

struct ConfigResource {
  // Kafka's numbers.
  enum class Kind : std::int8_t { kTopic = 2, kBroker = 4, kGroup = 32 };
  Kind kind = Kind::kTopic;
  std::string name;  // of a broker: its id, or "" for the default of all

  // "topic orders", "broker 1", "all brokers".
  std::string to_string() const;
};

struct ConfigChange {
  std::string name;
  std::optional<std::string> value;  // nothing: back to the default
};

// NAME=VALUE each. Throws a usage Failure.
std::vector<std::pair<std::string, std::string>> parse_config_pairs(
    const std::vector<std::string>& texts);

// All at once or none. Throws Failure.
void change_configs(Cluster& cluster, const ConfigResource& resource,
                    const std::vector<ConfigChange>& changes, bool dry_run);

// Sorted by name; all of them when `names` is empty. Throws Failure.
std::vector<wire::DescribeConfigsResponse::DescribeConfigsResourceResult> read_configs(
    Cluster& cluster, const ConfigResource& resource, const std::vector<std::string>& names,
    bool documentation);

// DYNAMIC_TOPIC_CONFIG and so on, as Kafka's tools name where a value comes from.
std::string config_source_name(std::int8_t source);
// The same in words for tables: "topic", "default".
std::string config_source_text(std::int8_t source);
std::string config_type_name(std::int8_t type);
// Whether the value was set on the resource itself.
bool is_own_config(const ConfigResource& resource, std::int8_t source);

}  // namespace cli
