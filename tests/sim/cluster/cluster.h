// A whole simulated cluster: controllers, brokers, and what must always hold of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "broker/node/partition_table.h"
#include "tests/sim/cluster/broker_machine.h"
#include "tests/sim/cluster/controller_machine.h"
#include "tests/sim/node/cluster_facts.h"

namespace sim {

struct ClusterOptions {
  std::int32_t controllers = 3;
  std::int32_t brokers = 3;
  // Started with the cluster, from the first one on; 0: all.
  std::int32_t brokers_at_first = 0;
  std::vector<std::string> racks;  // of the brokers, in order; empty: none
};

class Cluster {
 public:
  Cluster(World& world, ClusterOptions options);

  void start();
  std::int32_t at_first() const { return at_first_; }
  // Nothing fails any more, everything runs. What is broken is started anew.
  void heal();
  bool everybody_serves() const;
  std::vector<std::string> broker_hosts() const;
  // What the leading controller has committed; null when none leads.
  meta::ImagePtr image() const;
  // Every partition of `topic` has all its replicas in sync and a leader, as the controller says.
  bool fully_replicated(const std::string& topic) const;
  // Traces every replica of `topic`: to look at one seed.
  void describe(const std::string& topic);
  // The replicas of `topic` hold the same bytes; else fails the run.
  void check_replicas_equal(const std::string& topic);

  World& world;
  Facts facts;
  SimRpc rpc;
  std::vector<std::unique_ptr<ControllerMachine>> controllers;
  std::vector<std::unique_ptr<BrokerMachine>> brokers;

 private:
  // A broker as check_leaders() saw it last.
  struct LookedAt {
    std::pair<int, std::uint64_t> when{-1, 0};
    // Whose replicas these are. Weak: nothing of a process outlives it.
    std::weak_ptr<const broker::PartitionTable::Snapshot> table;
    struct Replica {
      broker::Partition* partition;
      std::optional<base::LeaderEpoch> led_in;
    };
    std::vector<Replica> replicas;
  };
  void check_leaders();
  void check_leaders_of(BrokerMachine& machine, LookedAt& before);

  const std::int32_t at_first_;

  std::vector<LookedAt> looked_at_;  // by place in `brokers`
  // Who led a partition in an epoch: never two brokers.
  std::map<std::tuple<base::Uuid, std::int32_t, std::int32_t>, std::int32_t> leaders_;
};

}  // namespace sim
