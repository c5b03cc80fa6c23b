// The controller: a member of the quorum that holds the cluster's metadata. Assembled from seams;
// main and the simulator start the same object. Everything runs on the one executor it is given;
// disk work goes through Executor::blocking. Serves services Admin and Broker of
// proto/controller.proto on the RpcServer it is given.
//
// Without Seams::connect it is the only member there will ever be. With it, the members are those
// of the log, or for a new cluster those of Config::voters (controller/node/quorum_founder.h).
//
//   start -> recover (controller/node/raft_store.h) -> elect -> lead: decide, append, sync, commit,
//   apply, reply, publish. docs/metadata.md draws it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/io/clock.h"
#include "common/io/disk.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"
#include "common/meta/image.h"
#include "controller/cluster/config_rules.h"
#include "controller/node/quorum_transport.h"

namespace controller {

struct Seams {
  io::Disk& disk;
  io::Executor& executor;
  io::Clock& clock;
  base::Diag& diag;
  io::RpcServer& rpc;
  base::Random random;
  // Makes clients of other controllers, on `executor`; null: there are none.
  ConnectPeer connect = nullptr;
};

struct Config {
  std::int32_t node_id = 1;
  // Of a new cluster, this node among them; for a node that shall join one, some that are there.
  std::vector<std::int32_t> voters = {1};
  // Where controllers answer, unless the metadata log says otherwise.
  std::map<std::int32_t, io::Address> endpoints;
  // What a new cluster is called; zero draws one. An existing log keeps its own, and start() fails
  // when both are given and differ.
  base::Uuid cluster_id;
  // For CreateTopics with -1.
  std::int32_t default_partitions = 1;
  // 0: min(3, live brokers).
  std::int16_t default_replication_factor = 0;
  // A broker whose heartbeats stay away for that long is fenced; one whose subscription breaks,
  // after this short time already (controller/node/liveness.h).
  base::Duration broker_session_timeout = std::chrono::seconds(3);
  base::Duration broker_suspect_timeout = std::chrono::milliseconds(50);
  // How often leaderships go back to preferred replicas that are in sync; 0: never.
  base::Duration leader_balance_interval = std::chrono::seconds(10);
  // A broker that is new to a cluster with partitions gets its share of them.
  bool balance_new_brokers = true;
  // The log is cut behind a snapshot when it has grown by this much since the last one.
  std::uint64_t snapshot_after_bytes = 4 << 20;
  // Validates overrides; the shell fills it from common/config.
  cluster::ConfigRules config_rules;
};

// For metrics and /readyz. Counters only grow.
struct Stats {
  bool leading = false;
  std::int32_t leader = -1;  // as far as this node knows
  std::int64_t term = 0;
  std::int64_t committed = -1;  // offset
  std::uint64_t entries = 0;    // appended by this process
  std::uint64_t syncs = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t log_bytes = 0;  // on disk now, without snapshots
  std::uint64_t subscribers = 0;
  std::int64_t voters = 0;              // of the quorum, as far as this node knows
  std::uint64_t brokers_fenced = 0;     // by this process, because they went
  std::uint64_t unclean_elections = 0;  // decided by this process: they may have lost records
  bool failed = false;                  // the metadata disk failed: the node answers no more writes
};

// How many of what the leader sees in the cluster, for metrics. A partition counts in one of the
// first three, the worst.
struct ClusterCounts {
  std::int64_t partitions_offline = 0;
  std::int64_t partitions_under_min_isr = 0;
  std::int64_t partitions_under_replicated = 0;
  std::int64_t partitions_reassigning = 0;
  std::int64_t partitions_leader_not_preferred = 0;
  std::int64_t partitions = 0;
  std::int64_t topics = 0;
  std::int64_t brokers_live = 0;
  std::int64_t brokers_fenced = 0;
  std::int64_t brokers_draining = 0;  // whether live or fenced
};

class Controller {
 public:
  // Called on the executor, once.
  using Done = std::move_only_function<void(io::IoResult<void>)>;

  Controller(Seams seams, Config config);
  // stop() must have finished, or start() never been called. (In a simulated crash the executor's
  // work is dropped instead.)
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Recovers `<data_directory>/metadata` (made when missing), joins the quorum, serves. `done`
  // comes when the log is recovered, this node leads or follows a leader, and it knows which
  // cluster that is. Until then it says every few seconds what it waits for. On failure the message
  // says which file and why.
  void start(const std::string& data_directory, Done done);
  // Hands the leadership over if it has it and there is somebody (a second at most); then answers
  // what is pending with NOT_CONTROLLER, ends subscriptions, closes files.
  void stop(std::move_only_function<void()> done);

  // The image of the last committed entry, for health pages. Executor's thread only.
  meta::ImagePtr image() const;
  Stats stats() const;
  // Nothing unless this node leads. Looks at every partition. Executor's thread only.
  std::optional<ClusterCounts> cluster_counts() const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace controller
