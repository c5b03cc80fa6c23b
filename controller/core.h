// The inside of Controller: only controller.cc and services.cc include it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/timer_wheel.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/replica_sizes.h"
#include "controller/cluster/verdict.h"
#include "controller/controller.h"
#include "controller/node/liveness.h"
#include "controller/node/publisher.h"
#include "controller/node/raft_node.h"
#include "controller/node/state.h"

namespace controller {

class Controller::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Seams seams, Config config)
      : seams_(seams),
        config_(std::move(config)),
        random_(seams.random.split("decide")),
        publisher_(seams.diag),
        liveness_(seams.executor, {config_.broker_session_timeout, config_.broker_suspect_timeout},
                  [this](base::BrokerId id, Liveness::End how) { fence(id, how); }) {
    settings_.default_partitions = config_.default_partitions;
    settings_.default_replication_factor = config_.default_replication_factor;
    settings_.config_rules = config_.config_rules;
    settings_.balance_leaders = config_.leader_balance_interval > base::Duration::zero();
    settings_.balance_new_brokers = config_.balance_new_brokers;
    reopen_.on_fire([this] { open(); });
    chores_.on_fire([this] { chores(); });
    remind_.on_fire([this] { remind(); });
    hand_over_.on_fire([this] { stop_now(); });
    join_limit_.on_fire([this] { settle_joining(false); });
  }

  void start(const std::string& data_directory, Done done);
  void stop(std::move_only_function<void()> done);
  meta::ImagePtr image() const { return state_.committed(); }
  Stats stats() const;
  std::optional<ClusterCounts> cluster_counts() const;

 private:
  // A controller on its way to be a voter, and who waits for it.
  struct Joining {
    raft::NodeId id;
    base::Instant deadline;
    io::RpcReply reply;
  };
  struct Subscription {
    proto::MetadataRequest request;
    std::shared_ptr<io::RpcSink> sink;
  };

  void lock_then_open();
  void open();
  void opened(const io::IoResult<void>& result);
  void close_member();
  void connect_quorum();
  void remind();
  void stop_now();
  bool solitary() const { return transport_ == nullptr; }
  void end_subscriptions();

  void on_committed(const std::vector<raft::Entry>& entries);
  void on_installed(const raft::Snapshot& snapshot);
  void on_role_changed();
  void on_failed(const io::IoError& error);
  void broken(const std::string& why);
  void maybe_started();
  void maybe_checkpoint();

  // Why a call is refused while this node is not ready.
  cluster::Refusal not_ready() const;
  // What is said of a change that was appended when this node stopped leading.
  cluster::Refusal lost() const;
  // An answer that is only a refusal; it names the leader to whoever came to the wrong one.
  template <class Reply>
  std::string refused(const cluster::Refusal& refusal) const;
  void refuse(const cluster::Refusal& refusal, proto::Error* error) const;
  // Leads, and everything committed before is known.
  bool ready() const { return member_ && member_->running() && member_->raft().ready(); }
  raft::Index append(const std::vector<proto::Record>& records);

  // The session of a broker ended.
  void fence(base::BrokerId broker, Liveness::End how);
  cluster::Sessions sessions() const;
  cluster::Decision<proto::HeartbeatReply> heartbeat(const proto::HeartbeatRequest& request);
  cluster::Decision<proto::RegisterBrokerReply> register_broker(
      const proto::RegisterBrokerRequest& request);

  void serve();
  void serve_quorum();
  void add_voter(const std::string& bytes, io::RpcReply reply);
  void remove_voter(const std::string& bytes, io::RpcReply reply);
  void describe_quorum(io::RpcReply reply);
  void tell_members(io::RpcReply reply);
  std::optional<cluster::Refusal> members_fixed() const;
  void settle_joining(bool all);
  void end_watches();
  void serve_admin();
  void serve_movement();
  void serve_brokers();
  // What the controller does of its own accord: drains, preferred leaders.
  void chores();
  void subscribe(const proto::MetadataRequest& request, std::shared_ptr<io::RpcSink> sink);
  void serve_waiting_subscriptions();
  template <class Request, class Decide>
  void serve_method(const char* method, Decide decide);
  template <class Request, class Decide>
  void answer(const std::string& bytes, Decide& decide, io::RpcReply reply);

  Seams seams_;
  Config config_;
  base::Random random_;
  cluster::Settings settings_;
  std::string directory_;
  std::shared_ptr<io::DirectoryLock> lock_;
  State state_;
  Publisher publisher_;
  Liveness liveness_;
  cluster::ReplicaSizes sizes_;                 // while it leads
  std::shared_ptr<QuorumTransport> transport_;  // null: solitary
  std::shared_ptr<RaftNode> member_;
  std::vector<Joining> joining_;
  std::vector<std::shared_ptr<io::RpcSink>> watchers_;  // followers that will learn of the end
  std::vector<Subscription> waiting_subscriptions_;
  Done start_done_;
  std::uint64_t lives_ = 0;
  bool was_leading_ = false;
  bool stopping_ = false;
  std::move_only_function<void()> stop_done_;
  bool failed_ = false;
  std::string disk_error_;  // why nothing can change at present; empty: nothing is wrong
  std::uint64_t entries_ = 0;
  std::uint64_t brokers_fenced_ = 0;
  std::uint64_t unclean_elections_ = 0;
  RaftNode::Stats earlier_;  // of members closed since the start
  base::Timer reopen_;
  base::Timer chores_;
  base::Instant balance_at_{};
  base::Timer remind_;  // while start() has not finished
  base::Timer join_limit_;
  base::Timer hand_over_;  // the time that a successor has
};

template <class Reply>
std::string Controller::Core::refused(const cluster::Refusal& refusal) const {
  Reply reply;
  refuse(refusal, reply.mutable_error());
  return reply.SerializeAsString();
}

}  // namespace controller
