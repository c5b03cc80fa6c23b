#include "tests/sim/cluster/insistent_admin.h"

#include <utility>

#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"

namespace sim {

InsistentAdmin::InsistentAdmin(Cluster& cluster, std::function<std::string()> whom,
                               base::Duration patience)
    : world_(cluster.world),
      facts_(cluster.facts),
      whom_(std::move(whom)),
      client_(cluster.world, cluster.facts.network, "admin") {
  client_.patience = patience;
}

bool InsistentAdmin::create(const NewTopic& topic) {
  wire::CreateTopicsRequest request;
  request.timeout_ms = 1500;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic.name;
  wanted.num_partitions = topic.partitions;
  wanted.replication_factor = topic.replicas;
  for (const auto& [name, value] : topic.configs) {
    wanted.configs.push_back({.name = name, .value = value});
  }
  const bool made =
      insist<wire::CreateTopicsResponse>(request, 7, [](const wire::CreateTopicsResponse& answer) {
        const wire::ErrorCode code = answer.topics.at(0).error_code;
        return code == wire::ErrorCode::kNone || code == wire::ErrorCode::kTopicAlreadyExists;
      });
  if (!made) facts_.no_progress("the topic is not made");
  return made;
}

}  // namespace sim
