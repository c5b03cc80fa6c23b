#include "broker/broker.h"

#include "broker/api/session.h"
#include "broker/log/log_directory.h"
#include "broker/node/controller_client.h"
#include "broker/node/coordinator.h"
#include "broker/node/metadata_follower.h"
#include "broker/node/producer_ids.h"

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
  auto opened = std::make_shared<io::IoResult<std::unique_ptr<LogDirectory>>>();
  home().blocking(
      [this, opened, cluster_id] {
        base::Random random = seams_.random.split("log directory");
        *opened = LogDirectory::open(seams_.disk, config_.log_dirs.front(), cluster_id,
                                     node_.broker_id, random, seams_.diag, {});
      },
      [this, opened, cluster_id, listeners = std::move(listeners)]() mutable {
        if (!*opened) return started_(std::unexpected(opened->error()));
        directory_ = std::move(**opened);
        begin(cluster_id, std::move(listeners));
      });
}

void Broker::begin(const std::string& cluster_id, std::vector<meta::Listener> listeners) {
  node_.cluster_id = cluster_id;
  node_.log_directory = directory_.get();
  flusher_ =
      std::make_unique<Flusher>(seams_.disk, directory_->path(), directory_->health(), home());
  controller_ = std::make_unique<ControllerClient>(home(), seams_.controller);
  metadata_ = std::make_unique<MetadataFollower>(home(), seams_.controller, seams_.diag,
                                                 seams_.random.split("metadata"));
  producer_ids_ = std::make_unique<ProducerIds>(node_.broker_id, home(), *controller_, *metadata_);
  hosting_ = std::make_unique<Hosting>(
      node_, seams_.disk, *directory_, *flusher_, home(), seams_.random.split("hosting"),
      Hosting::Chores{
          .openers =
              static_cast<std::size_t>(std::max(1, config_.num_recovery_threads_per_data_dir)),
          .retention_every = std::chrono::milliseconds(config_.log_retention_check_interval_ms)});
  node_.controller = controller_.get();
  node_.metadata = metadata_.get();
  node_.producer_ids = producer_ids_.get();
  node_.hosting = hosting_.get();
  groups_ = std::make_unique<GroupCoordinators>(node_, seams_.random.split("groups"));
  node_.groups = groups_.get();
  base::Random random = seams_.random.split("incarnation");
  metadata_->start(
      {.id = node_.broker_id,
       .cluster_id = base::Uuid::parse(cluster_id).value_or(base::Uuid{}),
       .incarnation = base::Uuid::random(random),
       .listeners = std::move(listeners),
       .rack = config_.broker_rack.value_or("")},
      [this](const meta::ImagePtr& before, const meta::ImagePtr& after, const meta::Delta& delta) {
        hosting_->on_change(after, delta);
        groups_->on_change(before, after, delta);
      },
      [this] {
        hosting_->when_applied(node_.image()->offset(), home(), [this] {
          hosting_->start_chores();
          started_({});
        });
      },
      [this](const CallError& error) { refused_(error.message); });
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
  if (flusher_) flusher_->abandon();
  // Partitions and who waits for them hold each other.
  for (const auto& [id, topic] : table_.snapshot()->by_id) {
    for (const auto& partition : topic->partitions) {
      if (partition != nullptr) partition->close(wire::ErrorCode::kNotLeaderOrFollower);
    }
  }
}

void Broker::stop(std::move_only_function<void()> done) {
  node_.stopping = true;
  auto shared_done = std::make_shared<std::move_only_function<void()>>(std::move(done));
  if (hosting_ == nullptr) return (*shared_done)();
  on_every_reactor([this, shared_done] {
    metadata_->stop();
    groups_->stop();
    flusher_->stop([this, shared_done] { hosting_->stop([shared_done] { (*shared_done)(); }); });
  });
}

}  // namespace broker
