// A client of one partition: finds its leader by asking brokers in turn for metadata, and asks
// again when told to. Calls go to the leader that was found last.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class LeaderClient {
 public:
  // `brokers`: the hosts that clients were told of; broker N lives on host "broker N".
  LeaderClient(Facts& facts, const std::string& name, std::vector<std::string> brokers,
               std::string topic, std::int32_t partition);

  // The leader is not (or no longer) the one that was asked: looks for it until it is found.
  void find_leader();
  // False while it is looking.
  bool has_leader() const { return found_; }
  // The latest heard of; -1: none.
  std::int32_t leader_epoch() const { return leader_epoch_; }

  template <class Response, class Request>
  void call(const Request& request, std::int16_t version,
            std::function<void(const Response*)> done) {
    client_.call<Response>(request, version, std::move(done));
  }
  void drop() { client_.drop(); }
  bool idle() const { return client_.idle(); }
  const std::string& host() const { return client_.host(); }

 private:
  void ask();

  Facts& facts_;
  base::Random random_;
  KafkaClient client_;  // to the leader
  KafkaClient finder_;
  const std::vector<std::string> brokers_;
  const std::string topic_;
  const std::int32_t partition_;
  std::int32_t leader_epoch_ = -1;  // the latest heard of
  bool found_ = false;
  std::int64_t wait_ = 1;  // before it asks again: grows as long as nobody knows
  bool looking_ = false;
};

std::string broker_host(std::int32_t broker);

}  // namespace sim
