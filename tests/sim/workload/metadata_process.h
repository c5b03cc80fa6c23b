// The processes of the metadata workload, and what all of them must agree on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "broker/node/controller_client.h"
#include "broker/node/metadata_follower.h"
#include "broker/node/registrar.h"
#include "common/meta/apply.h"
#include "controller/controller.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/world.h"

namespace sim {

inline constexpr const char* kDataDirectory = "/data";

// What everybody must agree on: the image at each offset that anybody was shown.
class Images {
 public:
  explicit Images(World& world) : world_(world) {}

  void seen(const meta::Image& image, const std::string& by) {
    if (image.offset() < base::Offset(0)) return;
    const std::string bytes = meta::to_snapshot(image).SerializeAsString();
    auto [at, fresh] = by_offset_.try_emplace(image.offset(), bytes);
    if (fresh) world_.trace("image", static_cast<std::uint64_t>(image.offset().value()));
    if (at->second != bytes) {
      world_.fail(Verdict::kIncorrect,
                  by + " has another image at offset " + std::to_string(image.offset().value()));
    }
  }

 private:
  World& world_;
  std::map<base::Offset, std::string> by_offset_;
};

// The controller's process on its machine.
class ControllerProcess {
 public:
  ControllerProcess(World& world, SimRpc& rpc, Images& images)
      : disk(world.random("disk").next()),
        world_(world),
        rpc_(rpc),
        images_(images),
        clock_(world) {
    // The data directory is the node's, made before the controller starts.
    [[maybe_unused]] auto made = disk.make_directories(kDataDirectory);
    [[maybe_unused]] auto synced = disk.sync_directory("/");
    world.after_each([this] { look(); });
  }

  void start() {
    const std::string name = "controller " + std::to_string(++life_);
    world_.trace("start", name);
    executor_ = std::make_unique<SimExecutor>(world_, name);
    endpoint_ = rpc_.serve("controller", *executor_);
    controller::Config config;
    config.snapshot_after_bytes = 1500;
    config.config_rules.is_list = [](auto, std::string_view key) { return key == "list"; };
    controller_ = std::make_unique<controller::Controller>(
        controller::Seams{disk, *executor_, clock_, diag_, *endpoint_, world_.random(name)},
        config);
    started_ = false;
    controller_->start(kDataDirectory, [this](io::IoResult<void> result) {
      if (result) {
        started_ = true;
      } else if (!disk.stopped()) {
        world_.fail(Verdict::kIncorrect, "recovery failed: " + result.error().what);
      }
    });
  }

  // kill -9, or loss of power.
  void crash(bool power) {
    if (!controller_) return;
    world_.trace("crash", power ? "power" : "kill");
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
    seen_ = base::Offset(-1);
  }

  void stop_cleanly(std::function<void()> done) {
    controller_->stop([this, done] {
      // Not from within the controller's own call.
      executor_->post([this, done] {
        controller_ = nullptr;
        done();
      });
    });
  }

  bool up() const { return controller_ != nullptr; }
  bool started() const { return started_; }
  const controller::Controller& controller() const { return *controller_; }

  SimDisk disk;

 private:
  void look() {
    if (!controller_ || controller_->image()->offset() == seen_) return;
    seen_ = controller_->image()->offset();
    images_.seen(*controller_->image(), "the controller");
  }

  World& world_;
  SimRpc& rpc_;
  Images& images_;
  SimClock clock_;
  base::SilentDiag diag_;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<io::RpcServer> endpoint_;
  std::unique_ptr<controller::Controller> controller_;
  int life_ = 0;
  bool started_ = false;
  base::Offset seen_{-1};
};

// A broker's process, as far as metadata goes.
class FollowerProcess {
 public:
  FollowerProcess(World& world, SimRpc& rpc, Images& images, std::int32_t id)
      : id(id), world_(world), rpc_(rpc), images_(images) {}

  void start() {
    const std::string name = "broker " + std::to_string(id) + "." + std::to_string(++life_);
    executor = std::make_unique<SimExecutor>(world_, name);
    channel_ = rpc_.connect("broker " + std::to_string(id), "controller", *executor);
    base::Random random = world_.random(name);
    follower = std::make_unique<broker::MetadataFollower>(*executor, *channel_, diag_, random);
    client = std::make_unique<broker::ControllerClient>(*executor, *channel_);
    registrar =
        std::make_unique<broker::Registrar>(*executor, *client, diag_, random.split("registrar"),
                                            broker::Registrar::Options{.heartbeats = false});
    broker::Registrar::Identity identity;
    identity.id = base::BrokerId(id);
    identity.incarnation = base::Uuid::random(random);
    identity.listeners = {{"PLAINTEXT", "broker" + std::to_string(id), 9092}};
    ready = false;
    incarnation_ = identity.incarnation;
    registrar->start(
        std::move(identity), [this](const auto&) { follow(); },
        [this](const broker::CallError& error) {
          world_.fail(Verdict::kIncorrect, "a broker was refused: " + error.message);
        });
  }

  void crash() {
    if (!follower) return;
    executor->kill();
    follower = nullptr;
    registrar = nullptr;
    client = nullptr;
    channel_ = nullptr;
    executor = nullptr;
  }
  bool up() const { return follower != nullptr; }

  const std::int32_t id;
  std::unique_ptr<SimExecutor> executor;
  std::unique_ptr<broker::MetadataFollower> follower;
  std::unique_ptr<broker::Registrar> registrar;
  std::unique_ptr<broker::ControllerClient> client;
  bool ready = false;

 private:
  void follow() {
    follower->start(
        base::BrokerId(id),
        [this](const auto& before, const auto& after, const auto& delta) {
          changed(*before, *after, delta);
          const meta::Broker* self = after->broker(base::BrokerId(id));
          ready = ready || (self != nullptr && self->incarnation == incarnation_);
        },
        nullptr);
  }
  void changed(const meta::Image& before, const meta::Image& after, const meta::Delta& delta) {
    images_.seen(after, "broker " + std::to_string(id));
    if (after.offset() <= before.offset()) {
      world_.fail(Verdict::kIncorrect, "a broker's image goes back");
    }
    // The delta misses nothing of what the slow comparison finds.
    for (const auto& [topic, change] : meta::difference(before, after).topics) {
      if (!delta.topics.contains(topic)) {
        world_.fail(Verdict::kIncorrect, "a delta misses a topic");
      }
    }
  }

  World& world_;
  SimRpc& rpc_;
  Images& images_;
  base::SilentDiag diag_;
  std::unique_ptr<io::RpcClient> channel_;
  base::Uuid incarnation_;
  int life_ = 0;
};

}  // namespace sim
