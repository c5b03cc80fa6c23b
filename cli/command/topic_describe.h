// moldau topic describe: everything that the cluster says of a topic, put together.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/command/context.h"

namespace cli {

struct DescribeTopicOptions {
  std::vector<std::string> names;
  bool all_configs = false;
  bool under_replicated = false;
  bool unavailable = false;
};

void describe_topics(const DescribeTopicOptions& options, Context& context);

// Bytes of each (topic, partition) on one broker; of one topic, or of all. Empty when the broker
// does not tell.
using ReplicaSizes = std::map<std::pair<std::string, std::int32_t>, std::int64_t>;
ReplicaSizes replica_sizes(Cluster& cluster, std::int32_t broker, const TopicInfo* topic = nullptr);

}  // namespace cli
