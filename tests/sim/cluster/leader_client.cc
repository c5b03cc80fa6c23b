#include "tests/sim/cluster/leader_client.h"

#include <algorithm>
#include <utility>

#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"

namespace sim {

using wire::ErrorCode;

namespace {
constexpr std::int64_t kWaitMax = 16;
}

std::string broker_host(std::int32_t broker) { return "broker " + std::to_string(broker); }

LeaderClient::LeaderClient(Facts& facts, const std::string& name, std::vector<std::string> brokers,
                           std::string topic, std::int32_t partition)
    : facts_(facts),
      random_(facts.world.random(name)),
      client_(facts.world, facts.network, name),
      finder_(facts.world, facts.network, name + " finder"),
      brokers_(std::move(brokers)),
      topic_(std::move(topic)),
      partition_(partition) {
  client_.patience = std::chrono::seconds(2);
  finder_.patience = std::chrono::milliseconds(400);
}

void LeaderClient::find_leader() {
  found_ = false;
  if (std::exchange(looking_, true)) return;
  wait_ = 1;
  ask();
}

void LeaderClient::ask() {
  finder_.aim(brokers_[random_.below(brokers_.size())]);
  wire::MetadataRequest request;
  request.topics->push_back({.name = topic_});
  request.allow_auto_topic_creation = false;
  finder_.call<wire::MetadataResponse>(request, 10, [this](const wire::MetadataResponse* response) {
    if (response != nullptr) {
      for (const auto& topic : response->topics) {
        for (const auto& partition : topic.partitions) {
          if (partition.partition_index != partition_ || partition.leader_id < 0) continue;
          // From a broker that has not heard of the last election, as clients do by KIP-320.
          if (partition.leader_epoch < leader_epoch_) continue;
          leader_epoch_ = partition.leader_epoch;
          looking_ = false;
          found_ = true;
          client_.aim(broker_host(partition.leader_id));
          facts_.world.trace("leader found", static_cast<std::uint64_t>(partition.leader_id),
                             static_cast<std::uint64_t>(partition.leader_epoch));
          return;
        }
      }
    }
    facts_.world.after(std::chrono::milliseconds(random_.between(5, 60) * wait_),
                       [this] { ask(); });
    wait_ = std::min({wait_ * 2, facts_.slowness, kWaitMax});
  });
}

}  // namespace sim
