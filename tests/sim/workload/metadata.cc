#include <map>
#include <optional>
#include <set>
#include <string>

#include "broker/node/controller_client.h"
#include "broker/node/metadata_follower.h"
#include "common/meta/apply.h"
#include "controller/controller.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/workload/workload.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kData = "/data";
constexpr base::Duration kCallTimeout = milliseconds(300);

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
    [[maybe_unused]] auto made = disk.make_directories(kData);
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
    controller_->start(kData, [this](io::IoResult<void> result) {
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
    broker::MetadataFollower::Identity identity;
    identity.id = base::BrokerId(id);
    identity.incarnation = base::Uuid::random(random);
    identity.listeners = {{"PLAINTEXT", "broker" + std::to_string(id), 9092}};
    ready = false;
    follower->start(
        std::move(identity),
        [this](const auto& before, const auto& after, const auto& delta) {
          changed(*before, *after, delta);
        },
        [this] { ready = true; },
        [this](const broker::CallError& error) {
          world_.fail(Verdict::kIncorrect, "a broker was refused: " + error.message);
        });
  }

  void crash() {
    if (!follower) return;
    executor->kill();
    follower = nullptr;
    client = nullptr;
    channel_ = nullptr;
    executor = nullptr;
  }
  bool up() const { return follower != nullptr; }

  const std::int32_t id;
  std::unique_ptr<SimExecutor> executor;
  std::unique_ptr<broker::MetadataFollower> follower;
  std::unique_ptr<broker::ControllerClient> client;
  bool ready = false;

 private:
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
  int life_ = 0;
};

// What clients were told. Names and values are used once, so that a call without an answer leaves
// no doubt about any other.
struct Expected {
  struct Topic {
    bool created = false;  // acknowledged
    bool delete_tried = false;
    bool deleted = false;          // acknowledged
    std::int64_t value_tried = 0;  // of its config
    std::int64_t value = 0;        // acknowledged
    std::int32_t partitions = 0;   // acknowledged
  };
  std::map<std::string, Topic> topics;
  struct Value {
    std::int64_t tried = 0;
    std::int64_t kept = 0;  // acknowledged
  };
  std::map<std::string, Value>
      defaults;  // by key: each client has its own, so its calls are in order
  std::map<std::int64_t, std::int64_t> id_blocks;  // first -> end

  // Empty when `image` keeps every promise.
  std::string broken_by(const meta::Image& image) const {
    for (const auto& [name, topic] : topics) {
      const meta::Topic* found = image.topic(name);
      if (topic.deleted && found) return "deleted, and there: " + name;
      if (topic.created && !topic.delete_tried && !found) return "created, and gone: " + name;
      if (!found) continue;
      if (static_cast<std::int32_t>(found->partitions.size()) < topic.partitions) {
        return "partitions are gone of " + name;
      }
      auto value = found->configs.find("x");
      const std::int64_t have = value == found->configs.end() ? 0 : std::stoll(value->second);
      if (have < topic.value || have > topic.value_tried) return "the config is lost of " + name;
    }
    for (const auto& [key, value] : defaults) {
      auto found = image.cluster_configs().find(key);
      const std::int64_t have =
          found == image.cluster_configs().end() ? 0 : std::stoll(found->second);
      if (have < value.kept || have > value.tried) return "the default config is lost: " + key;
    }
    if (!id_blocks.empty() && image.next_producer_id() < id_blocks.rbegin()->second) {
      return "producer ids would be handed out again";
    }
    return {};
  }
};

// Sends one random call after the other from one broker; each waits for its answer or timeout.
class Admin {
 public:
  Admin(World& world, FollowerProcess& from, Expected& expected, const std::string& name)
      : world_(world), from_(from), expected_(expected), random_(world.random(name)), name_(name) {}

  std::uint64_t acknowledged = 0;
  std::uint64_t calls = 0;
  bool busy() const { return busy_; }

  // One call; `done` once it is answered (or timed out).
  void call(std::function<void()> done) {
    busy_ = true;
    done_ = std::move(done);
    ++calls;
    switch (random_.below(own_.empty() ? 1 : 10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return create();
      case 4:
        return remove();
      case 5:
      case 6:
        return set_config(own_[random_.below(own_.size())]);
      case 7:
        return set_config("");
      case 8:
        return grow();
      default:
        return allocate();
    }
  }
  // The process died: its call will never answer.
  void forget() {
    busy_ = false;
    ++generation_;
  }

 private:
  template <class Reply>
  broker::ControllerClient::Done<Reply> answer(std::function<void(const Reply&)> good) {
    return [this, good, generation = generation_](std::expected<Reply, broker::CallError> reply) {
      if (generation != generation_) return;
      if (reply) good(*reply);
      busy_ = false;
      auto done = std::exchange(done_, nullptr);
      if (done) done();
    };
  }

  void create() {
    const std::string name = name_ + "-" + std::to_string(++named_);
    expected_.topics[name];
    own_.push_back(name);
    proto::CreateTopicsRequest request;
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(static_cast<std::int32_t>(1 + random_.below(4)));
    topic->set_replication_factor(1);
    const int partitions = topic->partitions();
    from_.client->create_topics(
        request, kCallTimeout, *from_.executor,
        answer<proto::CreateTopicsReply>([this, name, partitions](const auto& reply) {
          if (reply.topics(0).error().code() != 0) return;
          expected_.topics[name].created = true;
          expected_.topics[name].partitions = partitions;
          ++acknowledged;
          wait_to_see(name, base::Offset(reply.offset()));
        }));
  }

  // A broker that has reached a reply's offset sees the change.
  void wait_to_see(const std::string& name, base::Offset offset) {
    from_.follower->when_reached(offset, *from_.executor, [this, name, generation = generation_] {
      if (generation != generation_) return;
      if (!expected_.topics[name].delete_tried && !from_.follower->image()->topic(name)) {
        world_.fail(Verdict::kIncorrect, "the offset is reached, the topic not there");
      }
    });
  }

  void remove() {
    const auto at = random_.below(own_.size());
    const std::string name = own_[at];
    own_.erase(own_.begin() + static_cast<std::ptrdiff_t>(at));
    expected_.topics[name].delete_tried = true;
    proto::DeleteTopicsRequest request;
    request.add_topics()->set_name(name);
    from_.client->delete_topics(request, kCallTimeout, *from_.executor,
                                answer<proto::DeleteTopicsReply>([this, name](const auto& reply) {
                                  if (reply.topics(0).error().code() != 0) return;
                                  expected_.topics[name].deleted = true;
                                  ++acknowledged;
                                }));
  }

  void set_config(const std::string& topic) {
    const std::string key = topic.empty() ? name_ : "x";
    auto& tried =
        topic.empty() ? expected_.defaults[key].tried : expected_.topics[topic].value_tried;
    auto& kept = topic.empty() ? expected_.defaults[key].kept : expected_.topics[topic].value;
    const std::int64_t value = ++tried;
    proto::IncrementalAlterConfigsRequest request;
    auto* resource = request.add_resources();
    resource->set_type(topic.empty() ? proto::CONFIG_RESOURCE_BROKER
                                     : proto::CONFIG_RESOURCE_TOPIC);
    resource->set_name(topic);
    auto* config = resource->add_configs();
    config->set_key(key);
    config->set_value(std::to_string(value));
    from_.client->incremental_alter_configs(
        request, kCallTimeout, *from_.executor,
        answer<proto::AlterConfigsReply>([this, &kept, value](const auto& reply) {
          if (reply.resources(0).error().code() != 0) return;
          kept = std::max(kept, value);
          ++acknowledged;
        }));
  }

  void grow() {
    const std::string name = own_[random_.below(own_.size())];
    const meta::Topic* topic = from_.follower->image()->topic(name);
    proto::CreatePartitionsRequest request;
    auto* asked = request.add_topics();
    asked->set_name(name);
    asked->set_count(topic ? static_cast<std::int32_t>(topic->partitions.size()) + 1 : 5);
    const int count = asked->count();
    from_.client->create_partitions(
        request, kCallTimeout, *from_.executor,
        answer<proto::CreatePartitionsReply>([this, name, count](const auto& reply) {
          if (reply.topics(0).error().code() != 0) return;
          expected_.topics[name].partitions = count;
          ++acknowledged;
        }));
  }

  void allocate() {
    proto::AllocateProducerIdsRequest request;
    request.set_broker_id(from_.id);
    request.set_broker_epoch(from_.follower->broker_epoch().value());
    from_.client->allocate_producer_ids(
        request, kCallTimeout, *from_.executor,
        answer<proto::AllocateProducerIdsReply>([this](const auto& reply) {
          const std::int64_t first = reply.first();
          const std::int64_t end = first + reply.count();
          auto after = expected_.id_blocks.lower_bound(first);
          const bool overlaps =
              (after != expected_.id_blocks.end() && after->first < end) ||
              (after != expected_.id_blocks.begin() && std::prev(after)->second > first);
          if (overlaps) world_.fail(Verdict::kIncorrect, "producer ids were handed out twice");
          expected_.id_blocks[first] = end;
          ++acknowledged;
        }));
  }

  World& world_;
  FollowerProcess& from_;
  Expected& expected_;
  base::Random random_;
  std::string name_;
  std::vector<std::string> own_;  // one client's topics, so that its own calls are in order
  int named_ = 0;
  bool busy_ = false;
  std::uint64_t generation_ = 0;
  std::function<void()> done_;
};

class MetadataRun {
 public:
  explicit MetadataRun(World& world)
      : world_(world),
        faults_(world.random("faults")),
        rpc_(world),
        images_(world),
        controller_(world, rpc_, images_) {
    for (std::int32_t id : {1, 2}) {
      brokers_.push_back(std::make_unique<FollowerProcess>(world, rpc_, images_, id));
      admins_.push_back(std::make_unique<Admin>(world, *brokers_.back(), expected_,
                                                "admin" + std::to_string(id)));
    }
  }
  ~MetadataRun() {
    controller_.crash(false);
    for (auto& each : brokers_) each->crash();
  }

  void run() {
    controller_.start();
    for (auto& each : brokers_) each->start();
    rpc_.faults.lost_percent = 2;
    rpc_.faults.delay_max = milliseconds(8);
    for (std::size_t i = 0; i < admins_.size(); ++i) keep_calling(i);
    world_.after(milliseconds(500), [this] { misbehave(); });
    world_.run_for(seconds(20));
    if (!world_.failed()) heal_and_check();
  }

 private:
  void keep_calling(std::size_t i) {
    if (!faulty_) return;
    if (brokers_[i]->up() && brokers_[i]->ready && !admins_[i]->busy()) {
      admins_[i]->call([] {});
    }
    world_.after(milliseconds(faults_.between(1, 30)), [this, i] { keep_calling(i); });
  }

  void misbehave() {
    if (!faulty_) return;
    switch (faults_.below(8)) {
      case 0:
      case 1:
      case 2:
        if (controller_.up()) {
          controller_.crash(faults_.chance(2, 3));
        } else {
          restart_controller();
        }
        break;
      case 3:
        // The machine stops at one of its next disk operations; whoever looks finds it dead.
        controller_.disk.stop_at(controller_.disk.operations() + faults_.below(12));
        break;
      case 4: {
        const auto i = faults_.below(brokers_.size());
        brokers_[i]->crash();
        admins_[i]->forget();
        brokers_[i]->start();
        break;
      }
      case 5:
        controller_.disk.faults.capacity_bytes = faults_.below(4000);
        break;
      case 6:
        rpc_.cut("controller", "broker " + std::to_string(1 + faults_.below(2)));
        break;
      default:
        rpc_.heal();
        controller_.disk.faults.capacity_bytes.reset();
        break;
    }
    if (controller_.disk.stopped()) controller_.crash(true);
    if (!controller_.up() && faults_.chance(2, 3)) restart_controller();
    world_.after(milliseconds(faults_.between(10, 700)), [this] { misbehave(); });
  }

  void restart_controller() {
    // A disk that is full at the start is another story: the process ends with a message.
    controller_.disk.faults.capacity_bytes.reset();
    controller_.start();
  }

  void heal_and_check() {
    faulty_ = false;
    rpc_.heal();
    rpc_.faults.lost_percent = 0;
    controller_.disk.faults = {};
    controller_.crash(true);
    controller_.disk.stop_at(std::nullopt);
    controller_.start();
    for (auto& each : brokers_) {
      if (!each->up()) each->start();
    }
    const bool settled = world_.run_until(
        [&] {
          if (!controller_.started()) return false;
          for (auto& each : brokers_) {
            if (each->follower->image()->offset() != controller_.controller().image()->offset() ||
                !each->ready) {
              return false;
            }
          }
          return true;
        },
        seconds(10));
    if (world_.failed()) return;
    if (!settled) {
      std::string why = "10 s after all healed the controller is ";
      why += controller_.started()
                 ? "at " + std::to_string(controller_.controller().image()->offset().value())
                 : std::string("not there");
      for (auto& each : brokers_) {
        why += ", broker " + std::to_string(each->id) + (each->ready ? " at " : " not ready at ") +
               std::to_string(each->follower->image()->offset().value());
      }
      return world_.fail(Verdict::kNoProgress, why);
    }
    const std::string broken = expected_.broken_by(*controller_.controller().image());
    if (!broken.empty()) return world_.fail(Verdict::kIncorrect, broken);
    std::uint64_t acknowledged = 0;
    for (auto& each : admins_) acknowledged += each->acknowledged;
    world_.trace("acknowledged", acknowledged);
    if (acknowledged == 0) world_.fail(Verdict::kNoProgress, "not one call was acknowledged");
  }

  World& world_;
  base::Random faults_;
  SimRpc rpc_;
  Images images_;
  ControllerProcess controller_;
  Expected expected_;
  std::vector<std::unique_ptr<FollowerProcess>> brokers_;
  std::vector<std::unique_ptr<Admin>> admins_;
  bool faulty_ = true;
};

// A script of calls; the disk stops at operation `stop`, and when `stop_again`, once more while the
// controller recovers. Returns how many operations there were.
std::uint64_t run_script(World& world, std::optional<std::uint64_t> stop, bool stop_again) {
  SimRpc rpc(world);
  Images images(world);
  ControllerProcess controller(world, rpc, images);
  FollowerProcess broker(world, rpc, images, 1);
  Expected expected;
  Admin admin(world, broker, expected, "admin");
  controller.disk.stop_at(stop);
  controller.start();
  broker.start();
  int calls = 0;
  bool finished = false;
  std::function<void()> next = [&] {
    if (++calls > 40) {
      finished = true;
    } else {
      admin.call([&] { world.after(milliseconds(1), [&] { next(); }); });
    }
  };
  bool begun = false;
  const auto over = [&] {
    if (!begun && broker.ready) {
      begun = true;
      next();
    }
    return finished || controller.disk.stopped();
  };
  if (!world.run_until(over, seconds(30)) && !world.failed()) {
    world.fail(Verdict::kNoProgress, "the script does not end");
  }
  const std::uint64_t operations = controller.disk.operations();
  if (stop && !world.failed()) {
    controller.crash(true);
    if (stop_again) {
      const auto more = world.random("again").below(8);
      controller.disk.stop_at(controller.disk.operations() + more);
      controller.start();
      world.run_for(seconds(2));
      controller.crash(true);
    }
    controller.start();
    if (!world.run_until([&] { return controller.started(); }, seconds(10)) && !world.failed()) {
      world.fail(Verdict::kNoProgress, "no recovery");
    }
    if (!world.failed()) {
      const std::string broken = expected.broken_by(*controller.controller().image());
      if (!broken.empty()) world.fail(Verdict::kIncorrect, broken);
    }
  }
  controller.crash(false);
  broker.crash();
  return operations;
}

}  // namespace

void run_metadata(World& world) {
  auto run = std::make_unique<MetadataRun>(world);
  run->run();
}

void run_metadata_each_operation(World& world) {
  World plain(world.seed());
  const std::uint64_t operations = run_script(plain, std::nullopt, false);
  if (plain.failed()) return world.fail(plain.verdict(), "without a crash: " + plain.why());
  for (std::uint64_t stop = 0; stop < operations; ++stop) {
    for (const bool again : {false, true}) {
      World one(world.seed());
      run_script(one, stop, again);
      world.trace("stopped", stop, one.digest());
      if (one.failed()) {
        return world.fail(one.verdict(), "stopped at disk operation " + std::to_string(stop) +
                                             (again ? " and again: " : ": ") + one.why());
      }
    }
  }
}

}  // namespace sim
