// moldau group seek: sets what a group without members has committed; shows it first.
#pragma once

#include <string>
#include <vector>

#include "cli/command/context.h"

namespace cli {

struct SeekGroupOptions {
  std::string group;
  std::string to;                   // as `moldau consume -o`
  std::vector<std::string> topics;  // TOPIC or TOPIC:PARTITION; none = all the group has committed
  bool execute = false;
};

void seek_group(const SeekGroupOptions& options, Context& context);

}  // namespace cli
