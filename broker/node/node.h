// The services of a broker that API handlers and coordinators use. Owned by Broker, which fills it
// before the first connection is accepted; afterwards only what is said to be thread-safe changes.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/partition_table.h"
#include "broker/node/reactor.h"
#include "broker/node/recent_losses.h"
#include "broker/node/replication_throttle.h"
#include "common/base/diag.h"
#include "common/base/ids.h"
#include "common/config/broker_config.h"
#include "common/io/clock.h"
#include "common/io/disk.h"
#include "common/meta/image.h"

namespace broker {

class BrokerPeers;
class ControllerClient;
class MetadataFollower;
class GroupCoordinators;
class Hosting;
class IsrChangeSink;
class LeaderCheck;
class LogDirectories;
class ProducerIds;
class Registrar;
class TxnCoordinators;

struct Node {
  const config::BrokerConfig& config;
  io::Disk& disk;
  io::Clock& clock;
  base::Diag& diag;
  base::BrokerId broker_id{};
  std::string cluster_id;

  Registrar* registrar = nullptr;           // epoch(): any thread
  MetadataFollower* metadata = nullptr;     // image(): any thread
  ControllerClient* controller = nullptr;   // calls from any reactor; see its header
  PartitionTable* partitions = nullptr;     // find(): any thread
  GroupCoordinators* groups = nullptr;      // any thread; see its header
  TxnCoordinators* transactions = nullptr;  // the same
  BrokerPeers* peers = nullptr;             // on any reactor
  LeaderCheck* leader_check = nullptr;      // on any reactor
  Hosting* hosting = nullptr;               // what is said there
  ProducerIds* producer_ids = nullptr;      // any thread
  IsrChangeSink* isr_changes = nullptr;     // any thread; null: nobody asks for changes
  LogDirectories* directories = nullptr;    // any thread
  std::vector<std::unique_ptr<Reactor>> reactors;
  ReplicationThrottles throttles;  // any thread
  RecentLosses losses;             // any thread
  // The broker ends: sessions take no further request.
  std::atomic<bool> stopping{false};

  std::shared_ptr<const meta::Image> image() const;
  // Number of the reactor that owns what is keyed by `index` (coordinator shards).
  Reactor& reactor_for(std::uint32_t index) { return *reactors[index % reactors.size()]; }
};

}  // namespace broker
