// What brokers say of the cluster as a whole: for `cluster info` and `broker list`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cli/client/cluster.h"

namespace cli {

struct BrokerFacts {
  std::int32_t id = 0;
  std::string host;
  std::int32_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
  bool draining = false;  // only where the controller was asked
  std::int64_t leaders = 0;
  std::int64_t replicas = 0;
  std::optional<std::int64_t> bytes;

  // "up", "fenced", "draining".
  std::string state() const;
};

struct ClusterFacts {
  std::string id;
  std::int32_t controller = -1;
  std::map<std::int32_t, BrokerFacts> brokers;
  std::int64_t topics = 0;
  std::int64_t partitions = 0;
  std::int64_t under_replicated = 0;
  std::int64_t offline = 0;
  std::map<std::string, std::int16_t> features;
};

// Asks one broker for the cluster, and each that is up for its sizes. Throws Failure.
ClusterFacts gather_facts(Cluster& cluster);

}  // namespace cli
