// moldau group describe: members, what they read, and how far behind they are.
#pragma once

#include <string>
#include <vector>

#include "cli/command/context.h"

namespace cli {

struct DescribeGroupOptions {
  std::vector<std::string> names;
  bool members = false;
};

void describe_groups(const DescribeGroupOptions& options, Context& context);

}  // namespace cli
