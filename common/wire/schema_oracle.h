// A second, independent reading of the schema files, for tests: it writes random bytes that are a
// valid message of a version, field by field, without the generated code. What generated code
// decodes from them and encodes again must be the same bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace wire {

struct OracleVersions {
  int first = 1;
  int last = 0;  // empty as it stands
  bool has(int version) const { return version >= first && version <= last; }
};

struct OracleField {
  std::string name;
  std::string type;  // of the element, for arrays
  bool is_array = false;
  OracleVersions versions;
  OracleVersions nullable;
  std::optional<int> tag;
  std::string default_value;  // empty if none is given
};

struct OracleMessage {
  std::string name;
  OracleVersions versions;
  OracleVersions flexible;
  std::vector<OracleField> fields;
  std::map<std::string, std::vector<OracleField>> structs;
};

// The messages of one file below schema/, by name. Dies on what it does not understand.
std::map<std::string, OracleMessage> read_oracle_file(const std::string& path);

struct OracleOptions {
  std::uint64_t elements_max = 3;
  std::uint64_t string_size_max = 12;
};

// The one encoding that we produce: tagged fields in order, only where not default, none unknown.
base::Bytes random_message(const OracleMessage& message, int version, base::Random& random,
                           const OracleOptions& options = {});

}  // namespace wire
