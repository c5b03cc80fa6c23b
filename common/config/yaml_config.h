// Reads a configuration: YAML file, --set, environment. Shells read the file and the environment;
// this only takes their text. Malformed, unknown and repeated keys are refused with their place.
//
// Keys are Kafka's, dotted or nested: "log.retention.ms: 1" and "log: {retention: {ms: 1}}" are the
// same. In the environment MOLDAU_LOG__RETENTION__MS is log.retention.ms and MOLDAU__HTTP__LISTEN
// is moldau.http.listen: two underscores are a dot and letters are in upper case.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/broker_config.h"

namespace config {

struct LoadInput {
  std::string file_name;  // for messages; empty: no file
  std::string file_text;
  std::vector<std::string> sets;  // "a.b=c" of --set, last one wins
  std::vector<std::pair<std::string, std::string>>
      environment;  // all of it; others are passed over
};

// The values with precedence flag > environment > file. All errors found, one a line, each with its
// place ("moldau.yaml:3:5: ..."), as text for people.
std::expected<GivenValues, std::string> load(const LoadInput& input);

// The variable that stands for a key, for messages and documentation.
std::string environment_name(std::string_view key);

}  // namespace config
