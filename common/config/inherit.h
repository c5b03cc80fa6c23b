// How a topic's or group's config falls back to the brokers' values. Internal to this folder.
#pragma once

#include <optional>
#include <string>

#include "common/config/broker_config.h"
#include "common/config/def.h"

namespace config {

struct Inherited {
  std::optional<std::string> value;  // in the unit of the topic's or group's config
  const Synonym* from = nullptr;     // the broker config that gave it, if one did
  bool is_override = false;          // the resource's own
};

// The value in force. Values that do not parse (written by another release) are passed over.
Inherited inherited_value(const Def& def, const Overrides& overrides, const BrokerLayers& layers);

// The value if it parses, else the default, which must not be null.
std::string parsed_or_default(const Def& def, const std::optional<std::string>& value);

}  // namespace config
