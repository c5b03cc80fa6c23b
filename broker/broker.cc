#include "broker/broker.h"

#include <utility>

#include "broker/api/session.h"
#include "broker/log/log_directories.h"
#include "broker/node/broker_peers.h"
#include "broker/node/controller_client.h"
#include "broker/node/coordinator.h"
#include "broker/node/isr_changes.h"
#include "broker/node/leader_check.h"
#include "broker/node/metadata_follower.h"
#include "broker/node/producer_ids.h"
#include "broker/node/registrar.h"
#include "broker/node/replicator.h"
#include "broker/node/txn_coordinator.h"

namespace broker {

Broker::Broker(Seams seams, config::BrokerConfig config)
    : seams_(std::move(seams)),
      config_(std::move(config)),
      node_{.config = config_, .disk = seams_.disk, .clock = seams_.clock, .diag = seams_.diag} {
  node_.broker_id = base::BrokerId(config_.node_id.value_or(1));
  node_.partitions = &table_;
  std::uint32_t index = 0;
  for (const auto& reactor : seams_.reactors) {
    node_.reactors.push_back(std::make_unique<Reactor>(
        index, reactor.executor, reactor.net,
        seams_.random.split("reactor " + std::to_string(index)),
        static_cast<std::size_t>(std::max(0, config_.fetch_session_slots))));
    ++index;
  }
}

Broker::~Broker() = default;

void Broker::start(const std::string& cluster_id, std::vector<meta::Listener> listeners, Done done,
                   OnRefused refused) {
  started_ = std::move(done);
  refused_ = std::move(refused);
  auto left = std::make_shared<io::IoResult<LogDirectories::Left>>();
  home().blocking(
      [this, left] {
        base::Random random = seams_.random.split("log directory");
        *left = LogDirectories::look_at(seams_.disk, config_.log_dirs, random);
      },
      [this, left, cluster_id, listeners = std::move(listeners)]() mutable {
        if (!*left) return started_(std::unexpected(left->error()));
        introduce(cluster_id.empty() ? (*left)->cluster_id : cluster_id, std::move(listeners),
                  **left);
      });
}

void Broker::introduce(const std::string& cluster_id, std::vector<meta::Listener> listeners,
                       const LogDirectories::Left& left) {
  controller_ = std::make_unique<ControllerClient>(home(), seams_.controller);
  registrar_ = std::make_unique<Registrar>(
      home(), *controller_, seams_.diag, seams_.random.split("registrar"),
      Registrar::Options{
          // Without voters the controller is in this process, and goes when it goes.
          .heartbeats = !config_.controller_quorum_voters.empty(),
          .heartbeat_every = std::chrono::milliseconds(config_.broker_heartbeat_interval_ms),
          .session_timeout = std::chrono::milliseconds(config_.broker_session_timeout_ms)});
  node_.registrar = registrar_.get();
  // A new directory's id is told before it is written: should that fail, the next one is as empty.
  left_ = left;
  base::Random random = seams_.random.split("incarnation");
  registrar_->start(
      {.id = node_.broker_id,
       .cluster_id = base::Uuid::parse(cluster_id).value_or(base::Uuid{}),
       .incarnation = base::Uuid::random(random),
       .listeners = std::move(listeners),
       .rack = config_.broker_rack.value_or(""),
       .previous_epoch = left.clean_epoch,
       .directories = left_.ids(),
       .some_directories_failed = left_.some_failed()},
      [this](const Registrar::Registered& registered) { on_registered(registered); },
      [this](const CallError& error) { refused_(error.message); });
}

void Broker::on_registered(const Registrar::Registered& registered) {
  if (std::exchange(told_unreadable_, false)) return begin();
  if (!node_.cluster_id.empty()) return;  // not for the first time
  node_.cluster_id = registered.cluster_id.to_string();
  auto opened = std::make_shared<io::IoResult<std::unique_ptr<LogDirectories>>>();
  home().blocking(
      [this, opened] {
        base::Random random = seams_.random.split("log directory");
        *opened = LogDirectories::open(
            {.disk = seams_.disk, .home = home(), .clock = seams_.clock, .diag = seams_.diag},
            left_, node_.cluster_id, node_.broker_id, random);
      },
      [this, opened] {
        if (!*opened) return started_(std::unexpected(opened->error()));
        directories_ = std::move(**opened);
        std::vector<base::Uuid> usable;
        for (const auto& store : directories_->all()) usable.push_back(store->id());
        if (usable.size() == left_.ids().size()) return begin();
        // One has failed since it was named. The controller must know before any partition is
        // opened: nobody may have been told that a replica is in there, and it would be made anew,
        // empty, in another one.
        told_unreadable_ = true;
        registrar_->register_again(std::move(usable));
      });
}

void Broker::begin() {
  node_.directories = directories_.get();
  metadata_ = std::make_unique<MetadataFollower>(home(), seams_.controller, seams_.diag,
                                                 seams_.random.split("metadata"));
  producer_ids_ = std::make_unique<ProducerIds>(node_.broker_id, home(), *controller_, *registrar_);
  hosting_ = std::make_unique<Hosting>(
      node_, seams_.disk, *directories_, home(), seams_.random.split("hosting"),
      Hosting::Chores{
          .openers =
              static_cast<std::size_t>(std::max(1, config_.num_recovery_threads_per_data_dir)),
          .retention_every = std::chrono::milliseconds(config_.log_retention_check_interval_ms)});
  // Where there is one directory and the controller is in this process, a partition that cannot be
  // written says so itself.
  const bool tells = !config_.controller_quorum_voters.empty() ||
                     directories_->all().size() + directories_->unreadable().size() > 1;
  directory_watch_ = std::make_unique<DirectoryWatch>(node_, *directories_, home(), [this, tells] {
    if (tells) registrar_->tell_soon();
  });
  hosting_->on_moved([this](const Partition& partition) { directory_watch_->on_moved(partition); });
  describe_heartbeats();
  isr_changes_ = std::make_unique<IsrChanges>(
      home(), *controller_, *registrar_, table_, seams_.diag, seams_.random.split("isr"),
      IsrChanges::Options{.self = node_.broker_id,
                          .lag_max = std::chrono::milliseconds(config_.replica_lag_time_max_ms)});
  node_.throttles.set(config::ThrottleRates::resolve({.given = &config_.given}));
  replicator_ =
      std::make_unique<Replicator>(node_, seams_.random.split("replicator"), replicator_options());
  node_.controller = controller_.get();
  node_.metadata = metadata_.get();
  node_.producer_ids = producer_ids_.get();
  node_.hosting = hosting_.get();
  node_.isr_changes = isr_changes_.get();
  groups_ = std::make_unique<GroupCoordinators>(node_, seams_.random.split("groups"));
  node_.groups = groups_.get();
  peers_ = std::make_unique<BrokerPeers>(node_, seams_.random.split("peers"));
  node_.peers = peers_.get();
  leader_check_ = std::make_unique<LeaderCheck>(node_);
  node_.leader_check = leader_check_.get();
  transactions_ = std::make_unique<TxnCoordinators>(node_);
  node_.transactions = transactions_.get();
  recall_ = std::make_unique<Recall>(node_.broker_id, home(),
                                     [this](bool again) { recall_clients(again); });
  isr_changes_->start();
  metadata_->start(
      node_.broker_id,
      [this](const meta::ImagePtr& before, const meta::ImagePtr& after, const meta::Delta& delta) {
        node_.losses.on_change(*before, *after, delta, home().now());
        hosting_->on_change(after, delta);
        groups_->on_change(before, after, delta);
        transactions_->on_change(before, after, delta);
        hosting_->when_applied(after->offset(), home(),
                               [this, after, delta] { on_applied(*after, delta); });
      },
      // The controller may take it for our end.
      [this] { registrar_->heartbeat_soon(); });
}

Replicator::Options Broker::replicator_options() {
  return {.listener = config_.inter_broker_listener_name,
          .fetchers = static_cast<std::size_t>(std::max(1, config_.num_replica_fetchers)),
          .fetch = {.self = node_.broker_id,
                    .leader = {},
                    .self_epoch = [this] { return registrar_->epoch(); },
                    .partition_bytes_max = config_.replica_fetch_max_bytes,
                    .response_bytes_max = config_.replica_fetch_response_max_bytes,
                    .bytes_min = config_.replica_fetch_min_bytes,
                    .wait_max = std::chrono::milliseconds(config_.replica_fetch_wait_max_ms),
                    .frame_bytes_max = config_.socket_request_max_bytes,
                    .throttle = &node_.throttles.follower,
                    .losses = &node_.losses}};
}

void Broker::describe_heartbeats() {
  registrar_->describe_with(
      [this](proto::HeartbeatRequest& request) {
        directory_watch_->describe(request);
        // Until then partitions are being opened, and an empty table would be told as all there is.
        if (!registrar_->fenced()) size_report_.describe(request);
      },
      [this](const proto::HeartbeatReply* reply) { size_report_.on_reply(reply); });
}

// The partitions have taken the roles that this change gave them.
void Broker::on_applied(const meta::Image& after, const meta::Delta& delta) {
  replicator_->on_change(after, delta);
  isr_changes_->count(delta);
  recall_->on_change(after, delta);
  directory_watch_->on_applied(after, delta);
  registrar_->applied(after.offset());
  const meta::Broker* self = after.broker(node_.broker_id);
  if (started_ == nullptr || self == nullptr || self->fenced ||
      self->epoch != registrar_->epoch()) {
    return;
  }
  hosting_->start_chores();
  std::exchange(started_, nullptr)({});
}

io::Net::Accept Broker::accept_on(std::size_t reactor, std::string listener) {
  return [this, reactor, listener = std::move(listener)](
             std::shared_ptr<io::Connection> connection) -> std::shared_ptr<io::ConnectionHandler> {
    if (node_.stopping) return nullptr;
    auto session = std::make_shared<api::Session>(node_, *node_.reactors[reactor],
                                                  std::move(connection), listener);
    session->start();
    return session;
  };
}

void Broker::recall_clients(bool again) {
  if (node_.stopping || !config_.recall_clients) return;
  for (const auto& reactor : node_.reactors) {
    reactor->executor.post([&reactor = *reactor, again] {
      reactor.client_sessions->recall_all(reactor.executor, again);
    });
  }
}

Hosting::Progress Broker::progress() const {
  return hosting_ ? hosting_->progress() : Hosting::Progress{};
}

void Broker::on_every_reactor(std::function<void()> then) {
  // No handler that began before runs any more once each reactor has come round.
  auto left = std::make_shared<std::size_t>(node_.reactors.size());
  for (const auto& reactor : node_.reactors) {
    reactor->executor.post([this, left, then] {
      home().post([left, then] {
        if (--*left == 0) then();
      });
    });
  }
}

void Broker::abandon() {
  if (directories_) directories_->abandon();
  if (replicator_) replicator_->abandon();
  // Partitions and who waits for them hold each other.
  for (const auto& [id, topic] : table_.snapshot()->by_id) {
    for (const auto& partition : topic->partitions) {
      if (partition != nullptr) partition->close(wire::ErrorCode::kNotLeaderOrFollower);
    }
  }
}

void Broker::stop(std::move_only_function<void()> done) {
  if (hosting_ == nullptr || started_ != nullptr || !config_.controlled_shutdown_enable) {
    return close(std::move(done));
  }
  registrar_->shut_down([this, done = std::move(done)]() mutable { close(std::move(done)); });
}

void Broker::close(std::move_only_function<void()> done) {
  node_.stopping = true;
  auto shared_done = std::make_shared<std::move_only_function<void()>>(std::move(done));
  if (registrar_) registrar_->stop();
  if (hosting_ == nullptr) return (*shared_done)();
  on_every_reactor([this, shared_done] {
    replicator_->stop([this, shared_done] {
      metadata_->stop();
      isr_changes_->stop();
      transactions_->stop();
      groups_->stop();
      directory_watch_->stop();
      recall_->stop();
      directories_->stop_flushing(
          [this, shared_done] { hosting_->stop([shared_done] { (*shared_done)(); }); });
    });
  });
}

}  // namespace broker
