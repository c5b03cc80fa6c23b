// One broker, assembled from seams: main and the simulator start the same object. Reactor 0 is the
// home of what exists once (metadata, hosting, coordinators' loading); connections live on all.
//
//   start -> register -> lock and open the log directories -> follow the metadata -> open
//   partitions
//   -> unfenced: ready ... stop -> hand leaderships over -> refuse requests -> flush -> close
//   cleanly.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/log/log_directories.h"
#include "broker/node/directory_watch.h"
#include "broker/node/hosting.h"
#include "broker/node/isr_changes.h"
#include "broker/node/node.h"
#include "broker/node/recall.h"
#include "broker/node/registrar.h"
#include "broker/node/replicator.h"
#include "broker/node/size_report.h"
#include "common/base/random.h"
#include "common/io/net.h"
#include "common/io/rpc.h"
#include "common/meta/image.h"

namespace broker {

struct Seams {
  io::Disk& disk;
  io::Clock& clock;
  base::Diag& diag;
  io::RpcClient& controller;  // of whoever leads; its callbacks come on reactor 0
  base::Random random;
  struct Reactor {
    io::Executor& executor;
    io::Net& net;
  };
  std::vector<Reactor> reactors;
};

class Broker {
 public:
  using Done = std::move_only_function<void(io::IoResult<void>)>;
  using OnRefused = std::function<void(const std::string& why)>;

  Broker(Seams seams, config::BrokerConfig config);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Home thread. `listeners` are what clients are told to connect to; `cluster_id` may be empty:
  // the directory knows it, or the controller. `done` comes when every partition is open and the
  // controller counts on this broker, or with what prevents it. `refused` comes (at any time later)
  // when the controller will not have this broker: the process should end.
  void start(const std::string& cluster_id, std::vector<meta::Listener> listeners, Done done,
             OnRefused refused);
  // Home thread. Hands over what this broker leads, refuses what comes from then on, makes durable
  // what was taken, closes cleanly.
  void stop(std::move_only_function<void()> done);
  // The executors were killed (simulated kill -9): allows destruction as it stands.
  void abandon();

  // Handlers for connections of one reactor that came in by `listener`; called on that reactor.
  io::Net::Accept accept_on(std::size_t reactor, std::string listener);

  Node& node() { return node_; }
  Hosting& hosting() { return *hosting_; }  // after start's directory was opened
  Hosting::Progress progress() const;       // any thread
  const LogDirectories& directories() const { return *directories_; }
  const IsrChanges* isr_changes() const { return isr_changes_.get(); }

 private:
  io::Executor& home() { return node_.reactors[0]->executor; }
  void introduce(const std::string& cluster_id, std::vector<meta::Listener> listeners,
                 const LogDirectories::Left& left);
  void on_registered(const Registrar::Registered& registered);
  Replicator::Options replicator_options();
  void describe_heartbeats();
  void begin();
  void on_applied(const meta::Image& after, const meta::Delta& delta);
  void recall_clients(bool again);
  void close(std::move_only_function<void()> done);
  void on_every_reactor(std::function<void()> then);

  Seams seams_;
  config::BrokerConfig config_;
  Node node_;
  Done started_;
  OnRefused refused_;
  LogDirectories::Left left_;     // by the process before; ids are on the disks or about to be
  bool told_unreadable_ = false;  // begins once the controller knows what cannot be opened
  std::unique_ptr<LogDirectories> directories_;
  PartitionTable table_;  // logs go before what they share
  std::unique_ptr<ControllerClient> controller_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<MetadataFollower> metadata_;
  std::unique_ptr<ProducerIds> producer_ids_;
  std::unique_ptr<Hosting> hosting_;
  std::unique_ptr<DirectoryWatch> directory_watch_;
  SizeReport size_report_{table_};
  std::unique_ptr<BrokerPeers> peers_;
  std::unique_ptr<LeaderCheck> leader_check_;
  std::unique_ptr<TxnCoordinators> transactions_;
  std::unique_ptr<GroupCoordinators> groups_;
  std::unique_ptr<IsrChanges> isr_changes_;
  std::unique_ptr<Replicator> replicator_;
  std::unique_ptr<Recall> recall_;
};

}  // namespace broker
