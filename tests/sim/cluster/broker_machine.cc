#include "tests/sim/cluster/broker_machine.h"

#include <utility>

#include "broker/log/log_directories.h"
#include "common/control/quorum_client.h"
#include "tests/sim/cluster/controller_machine.h"
#include "tests/sim/cluster/leader_client.h"
#include "tests/sim/node/node_process.h"

namespace sim {
namespace {

constexpr const char* kData = "/data";
constexpr const char* kLogs = "/data/logs";
constexpr const char* kMoreLogs = "/data/more";

config::BrokerConfig broker_config(std::int32_t id, const std::vector<std::int32_t>& controllers,
                                   const std::string& rack) {
  auto config = config::BrokerConfig::defaults();
  config.node_id = id;
  config.data_dir = kData;
  if (!rack.empty()) config.broker_rack = rack;
  config.log_dirs = {kLogs, kMoreLogs};
  config.offsets_topic_num_partitions = 2;
  config.transaction_log_num_partitions = 2;
  config.log_retention_check_interval_ms = 700;
  config.replica_lag_time_max_ms = 4000;
  config.replica_fetch_response_max_bytes = 100'000;  // a frame must fit into SimNet's window
  for (const std::int32_t each : controllers) {
    config.controller_quorum_voters.push_back({each, {controller_host(each), 1}});
  }
  return config;
}

}  // namespace

BrokerMachine::BrokerMachine(World& world, SimNetwork& network, SimRpc& rpc, std::int32_t id,
                             std::vector<std::int32_t> controllers, std::string rack)
    : disk(world.random("disk of " + broker_host(id)).next()),
      world_(world),
      network_(network),
      rpc_(rpc),
      id_(id),
      controllers_(std::move(controllers)),
      host_(broker_host(id)),
      rack_(std::move(rack)),
      clock_(world),
      diag_(world, host_) {
  [[maybe_unused]] auto made = disk.make_directories(kLogs);
  [[maybe_unused]] auto synced = disk.sync_filesystem("/");
  disk.on_stopped = [this] {
    world_.after_this([this, alive = alive_] {
      if (*alive && executor_ && disk.stopped()) crash(true);
    });
  };
}

BrokerMachine::~BrokerMachine() {
  *alive_ = false;
  if (executor_) crash(false);
}

void BrokerMachine::start() {
  const std::string name = host_ + " life " + std::to_string(++life_);
  world_.trace("start", name);
  serving_ = stopping_ = start_failed_ = false;
  executor_ = std::make_unique<SimExecutor>(world_, name);
  net_ = network_.join(host_, *executor_);
  control::QuorumClient::Members members;
  for (const std::int32_t each : controllers_) {
    members[each] = rpc_.connect(host_, controller_host(each), *executor_);
  }
  quorum_ = std::make_unique<control::QuorumClient>(*executor_, world_.random(name + " quorum"),
                                                    std::move(members));
  broker_ = std::make_unique<broker::Broker>(broker::Seams{.disk = disk,
                                                           .clock = clock_,
                                                           .diag = diag_,
                                                           .controller = *quorum_,
                                                           .random = world_.random(name),
                                                           .reactors = {{*executor_, *net_}}},
                                             broker_config(id_, controllers_, rack_));
  broker_->start(
      "", {{"PLAINTEXT", host_, kNodePort}},
      [this](io::IoResult<void> started) {
        if (started) {
          world_.trace("serving", host_);
          serving_ = true;
          auto bound = net_->listen({host_, kNodePort}, broker_->accept_on(0, "PLAINTEXT"));
          if (!bound) world_.fail(Verdict::kIncorrect, bound.error().what);
          return;
        }
        world_.trace("failed to start", started.error().what);
        start_failed_ = true;
        if (!may_fail_to_start && !disk.stopped()) {
          world_.fail(Verdict::kIncorrect, host_ + " does not start: " + started.error().what);
        }
      },
      [this](const std::string& why) {
        world_.fail(Verdict::kIncorrect, "the controller refuses " + host_ + ": " + why);
      });
}

bool BrokerMachine::broken() const {
  const bool out_of_service =
      broker_ && broker_->node().directories && broker_->node().directories->failed_count() > 0;
  return executor_ && (start_failed_ || out_of_service);
}

void BrokerMachine::forget() {
  executor_->kill();
  net_ = nullptr;
  broker_->abandon();
  quorum_ = nullptr;  // replies that wait for the controller know sessions, which know the broker
  broker_ = nullptr;
  executor_ = nullptr;
  serving_ = stopping_ = false;
}

void BrokerMachine::crash(bool power) {
  if (!executor_) return;
  world_.trace(power ? "power lost" : "killed", host_);
  forget();
  if (power) {
    disk.crash();
  } else {
    disk.kill_process();
  }
  disk.stop_at(std::nullopt);
}

void BrokerMachine::stop() {
  if (!serving_ || std::exchange(stopping_, true)) return;
  world_.trace("stop", host_);
  net_->stop_listening();
  broker_->stop([this] {
    // Not from within the broker's own call; whoever asks later finds a new process.
    world_.after({}, [this, alive = alive_, life = life_] {
      if (!*alive || life != life_ || !executor_) return;
      world_.trace("stopped", host_);
      forget();
      disk.kill_process();
    });
  });
}

void BrokerMachine::lose_directory(bool first) {
  world_.trace("a log directory dies", host_);
  disk.faults.dead = {first ? kLogs : kMoreLogs};
}

void BrokerMachine::freeze() {
  if (!executor_ || executor_->frozen()) return;
  world_.trace("frozen", host_);
  executor_->freeze();
}

void BrokerMachine::thaw() {
  if (!frozen()) return;
  world_.trace("thawed", host_);
  executor_->thaw();
}

void BrokerMachine::wipe() {
  crash(true);
  world_.trace("wiped", host_);
  const auto good = [&](const io::IoResult<void>& done) {
    if (!done) world_.fail(Verdict::kIncorrect, "cannot wipe: " + done.error().what);
  };
  disk.faults = {};
  good(disk.remove_all(kData));
  good(disk.make_directories(kLogs));
  good(disk.sync_filesystem("/"));
}

}  // namespace sim
