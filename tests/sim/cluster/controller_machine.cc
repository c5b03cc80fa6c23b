#include "tests/sim/cluster/controller_machine.h"

namespace sim {
namespace {

constexpr const char* kData = "/data";

}  // namespace

std::string controller_host(std::int32_t id) { return "controller " + std::to_string(id); }

ControllerMachine::ControllerMachine(World& world, SimRpc& rpc, std::int32_t id,
                                     std::vector<std::int32_t> voters)
    : disk(world.random("disk of " + controller_host(id)).next()),
      world_(world),
      rpc_(rpc),
      id_(id),
      voters_(std::move(voters)),
      host_(controller_host(id)),
      clock_(world),
      diag_(world, host_) {
  [[maybe_unused]] auto made = disk.make_directories(kData);
  [[maybe_unused]] auto synced = disk.sync_filesystem("/");
  disk.on_stopped = [this] {
    world_.after_this([this, alive = alive_] {
      if (*alive && executor_ && disk.stopped()) crash(true);
    });
  };
}

ControllerMachine::~ControllerMachine() {
  *alive_ = false;
  if (executor_) crash(false);
}

void ControllerMachine::start() {
  const std::string name = host_ + " life " + std::to_string(++life_);
  world_.trace("start", name);
  start_failed_ = false;
  executor_ = std::make_unique<SimExecutor>(world_, name);
  endpoint_ = rpc_.serve(host_, *executor_);
  controller::Config config;
  config.node_id = id_;
  config.voters = voters_;
  config.snapshot_after_bytes = 8000;
  controller::Seams seams{.disk = disk,
                          .executor = *executor_,
                          .clock = clock_,
                          .diag = diag_,
                          .rpc = *endpoint_,
                          .random = world_.random(name)};
  for (const std::int32_t each : voters_) {
    config.endpoints[each] = {.host = controller_host(each), .port = 1};
  }
  seams.connect = [this](std::int32_t, const io::Address& address) {
    return rpc_.connect(host_, address.host, *executor_);
  };
  controller_ = std::make_unique<controller::Controller>(std::move(seams), std::move(config));
  controller_->start(kData, [this, life = life_](io::IoResult<void> started) {
    if (started || life != life_) return;
    world_.trace("failed to start", started.error().what);
    start_failed_ = true;
    if (!may_fail_to_start && !disk.stopped()) {
      world_.fail(Verdict::kIncorrect, host_ + " does not start: " + started.error().what);
    }
  });
}

bool ControllerMachine::broken() const {
  return executor_ && (start_failed_ || controller_->stats().failed);
}

void ControllerMachine::crash(bool power) {
  if (!executor_) return;
  world_.trace(power ? "power lost" : "killed", host_);
  executor_->kill();
  controller_ = nullptr;
  endpoint_ = nullptr;
  executor_ = nullptr;
  if (power) {
    disk.crash();
  } else {
    disk.kill_process();
  }
  disk.stop_at(std::nullopt);
}

void ControllerMachine::freeze() {
  if (!executor_ || executor_->frozen()) return;
  world_.trace("frozen", host_);
  executor_->freeze();
}

void ControllerMachine::thaw() {
  if (!frozen()) return;
  world_.trace("thawed", host_);
  executor_->thaw();
}

}  // namespace sim
