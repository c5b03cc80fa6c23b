// How the controller judges config overrides: functions given by whoever assembles it (they know
// common/config), so that the rules of topics, brokers and groups stand in one place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/meta/image.h"
#include "proto/records.pb.h"

namespace controller::cluster {

struct ConfigRules {
  // Judges the whole set of overrides that would be in force for a topic, the default of brokers, a
  // broker or a group: a message for people when something in it is wrong (unknown key, bad value,
  // values that exclude each other). Unset: everything is accepted.
  std::function<std::optional<std::string>(proto::ConfigResource, const meta::Configs&)> validate;
  // True when the key's value is a comma-separated list, so that APPEND and SUBTRACT make sense.
  // Unset: nothing is.
  std::function<bool(proto::ConfigResource, std::string_view key)> is_list;
  // The value in force without an override, for APPEND and SUBTRACT to start from. Unset: none.
  std::function<std::string(proto::ConfigResource, std::string_view key)> default_value;
};

}  // namespace controller::cluster
