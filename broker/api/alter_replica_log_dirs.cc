// AlterReplicaLogDirs, versions 1-2 (KIP-113): into which log directory of this broker replicas go.
// Answered when they are on their way; DescribeLogDirs tells how far they are.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/node/hosting.h"
#include "common/wire/msg/alter_replica_log_dirs_request.h"
#include "common/wire/msg/alter_replica_log_dirs_response.h"

namespace broker::api {

void alter_replica_log_dirs(Context& context, const wire::AlterReplicaLogDirsRequest& request,
                            Reply<wire::AlterReplicaLogDirsResponse> reply) {
  // In order, each once: the last word counts, as in Kafka.
  std::map<PartitionName, std::string> paths;
  for (const auto& dir : request.dirs) {
    for (const auto& topic : dir.topics) {
      for (const std::int32_t index : topic.partitions) paths[{topic.name, index}] = dir.path;
    }
  }
  std::vector<Hosting::Alteration> wanted;
  for (auto& [name, path] : paths) wanted.push_back({.name = name, .path = std::move(path)});
  context.node.hosting->alter_directories(
      std::move(wanted), context.reactor.executor,
      [reply = std::move(reply)](std::vector<Hosting::Alteration> answers) mutable {
        wire::AlterReplicaLogDirsResponse response;
        for (const auto& each : answers) {
          if (response.results.empty() || response.results.back().topic_name != each.name.topic) {
            response.results.emplace_back().topic_name = each.name.topic;
          }
          response.results.back().partitions.push_back(
              {.partition_index = each.name.partition, .error_code = each.error});
        }
        reply(response);
      });
}

}  // namespace broker::api
