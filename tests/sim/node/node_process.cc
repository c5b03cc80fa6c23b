#include "tests/sim/node/node_process.h"

#include <utility>

#include "broker/log/log_directories.h"

namespace sim {
namespace {

constexpr const char* kData = "/data";
constexpr const char* kLogs = "/data/logs";

config::BrokerConfig node_config(const std::vector<std::string>& log_dirs) {
  auto config = config::BrokerConfig::defaults();
  config.node_id = 1;
  config.data_dir = kData;
  config.log_dirs = log_dirs;
  config.offsets_topic_num_partitions = 2;
  config.transaction_log_num_partitions = 2;
  config.transaction_abort_check_interval_ms = 300;
  config.log_retention_check_interval_ms = 700;
  return config;
}

}  // namespace

NodeProcess::NodeProcess(World& world, SimNetwork& network, SimRpc& rpc)
    : disk(world.random("disk").next()),
      world_(world),
      network_(network),
      rpc_(rpc),
      clock_(world) {
  [[maybe_unused]] auto made = disk.make_directories(kLogs);
  [[maybe_unused]] auto synced = disk.sync_filesystem("/");
  // A machine that has stopped does nothing more: not even an answer that was on its way.
  disk.on_stopped = [this] {
    world_.after_this([this, alive = alive_] {
      if (*alive && executor_ && disk.stopped()) crash(stops_with_power);
    });
  };
}

NodeProcess::~NodeProcess() {
  *alive_ = false;
  if (executor_) crash(false);
}

void NodeProcess::start() {
  const std::string name = "node " + std::to_string(++life_);
  world_.trace("start", name);
  serving_ = stopping_ = start_failed_ = false;
  executor_ = std::make_unique<SimExecutor>(world_, name);
  net_ = network_.join(kNodeHost, *executor_);
  endpoint_ = rpc_.serve("controller", *executor_);
  controller::Config config;
  config.snapshot_after_bytes = 4000;
  controller_ = std::make_unique<controller::Controller>(
      controller::Seams{.disk = disk,
                        .executor = *executor_,
                        .clock = clock_,
                        .diag = diag_,
                        .rpc = *endpoint_,
                        .random = world_.random(name + " controller")},
      std::move(config));
  controller_->start(kData, [this](io::IoResult<void> started) {
    if (!started) return failed_to_start(started.error().what);
    start_broker();
  });
}

void NodeProcess::start_broker() {
  client_ = rpc_.connect(kNodeHost, "controller", *executor_);
  broker_ = std::make_unique<broker::Broker>(
      broker::Seams{.disk = disk,
                    .clock = clock_,
                    .diag = diag_,
                    .controller = *client_,
                    .random = world_.random("broker " + std::to_string(life_)),
                    .reactors = {{*executor_, *net_}}},
      node_config(log_dirs));
  broker_->start(
      controller_->image()->cluster_id().to_string(), {{"PLAINTEXT", kNodeHost, kNodePort}},
      [this](io::IoResult<void> started) {
        if (!started) return failed_to_start(started.error().what);
        world_.trace("serving");
        serving_ = true;
        auto bound = net_->listen({kNodeHost, kNodePort}, broker_->accept_on(0, "PLAINTEXT"));
        if (!bound) world_.fail(Verdict::kIncorrect, bound.error().what);
      },
      [this](const std::string& why) {
        world_.fail(Verdict::kIncorrect, "the controller refuses its broker: " + why);
      });
}

void NodeProcess::failed_to_start(const std::string& why) {
  world_.trace("failed to start", why);
  start_failed_ = true;
  if (!may_fail_to_start && !disk.stopped()) {
    world_.fail(Verdict::kIncorrect, "the node does not start: " + why);
  }
}

bool NodeProcess::broken() const {
  return executor_ && (start_failed_ || out_of_service() || controller_->stats().failed);
}

bool NodeProcess::out_of_service() const {
  return broker_ && broker_->node().directories && broker_->node().directories->failed_count() > 0;
}

void NodeProcess::forget() {
  executor_->kill();
  net_ = nullptr;
  if (broker_) broker_->abandon();
  client_ = nullptr;  // replies that wait for the controller know sessions, which know the broker
  broker_ = nullptr;
  controller_ = nullptr;
  endpoint_ = nullptr;
  executor_ = nullptr;
  serving_ = false;
}

void NodeProcess::crash(bool power) {
  if (!executor_) return;
  world_.trace("crash", power ? "power" : "kill");
  forget();
  if (power) {
    disk.crash();
  } else {
    disk.kill_process();
  }
  disk.stop_at(std::nullopt);
  on_crash(power);
}

void NodeProcess::stop(std::function<void()> done) {
  if (!serving_ || std::exchange(stopping_, true)) return;
  world_.trace("stop");
  serving_ = false;
  net_->stop_listening();
  broker_->stop([this, done] {
    controller_->stop([this, done] {
      // Not from within the controller's own call; whoever asks later finds a new process.
      world_.after({}, [this, done, alive = alive_, life = life_] {
        if (!*alive || life != life_ || !executor_) return;
        forget();
        disk.kill_process();
        done();
      });
    });
  });
}

}  // namespace sim
