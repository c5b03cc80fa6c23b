// What DescribeConfigs says: every config of a resource with the value in force, where it comes
// from, and all the places where it was looked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/broker_config.h"
#include "common/config/def.h"

namespace config {

// Numbers are the protocol's.
enum class Source : std::int8_t {
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicCluster = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kGroup = 8,
};

struct EntrySynonym {
  std::string name;
  std::optional<std::string> value;
  Source source = Source::kDefault;
  friend bool operator==(const EntrySynonym&, const EntrySynonym&) = default;
};

struct Entry {
  std::string_view name;
  std::optional<std::string> value;  // nothing: null, or sensitive
  Source source = Source::kDefault;
  bool is_read_only = false;
  bool is_sensitive = false;
  std::vector<EntrySynonym> synonyms;  // in order of precedence; the first is in force
  Type type = Type::kString;
  std::string_view documentation;

  bool is_default() const { return source == Source::kDefault; }
};

// Sorted by name. Entries view the registry, which lives for ever.
std::vector<Entry> describe_topic(const Overrides& overrides, const BrokerLayers& layers);
std::vector<Entry> describe_group(const Overrides& overrides, const BrokerLayers& layers);
std::vector<Entry> describe_broker(const BrokerLayers& layers);
// The dynamic defaults of all brokers: only what is set there.
std::vector<Entry> describe_cluster_default(const Overrides& cluster);

}  // namespace config
