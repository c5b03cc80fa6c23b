// One record on its way to or from people. Views: whoever fills it says how long they live.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace cli {

// A record as it was read from a partition.
struct Message {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  base::WallMs timestamp = -1;
  bool log_append_time = false;
  std::int32_t leader_epoch = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> headers;
};

// A record to be sent.
struct Outgoing {
  std::optional<std::int32_t> partition;
  std::optional<base::WallMs> timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

}  // namespace cli
