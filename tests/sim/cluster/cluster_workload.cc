#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/tail_reader.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "kept";
constexpr std::int32_t kPartitions = 2;

class ClusterRun {
 public:
  explicit ClusterRun(World& world)
      : world_(world),
        random_(world.random("faults")),
        cluster_(world, {}),
        admin_(world, cluster_.facts.network, "admin") {
    admin_.patience = seconds(2);
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      add_writer({.topic = kTopic, .partition = i});
      add_writer({.topic = kTopic, .partition = i, .in_flight_max = 1});
      add_writer({.topic = kTopic, .partition = i, .idempotent = false});
      readers_.push_back(std::make_unique<TailReader>(cluster_.facts, "reader" + std::to_string(i),
                                                      cluster_.broker_hosts(), kTopic, i));
    }
  }

  void run() {
    cluster_.start();
    create_topic();
    if (!world_.run_until([&] { return created_; }, seconds(30))) {
      return no_progress("the topic is not made");
    }
    for (auto& each : writers_) each->start();
    for (auto& each : readers_) each->start();
    world_.after(seconds(1), [this] { misbehave(); });
    world_.run_for(seconds(20));
    heal_and_check();
  }

 private:
  void add_writer(Writer::Options options) {
    writers_.push_back(std::make_unique<Writer>(cluster_.facts,
                                                "writer" + std::to_string(writers_.size()),
                                                cluster_.broker_hosts(), std::move(options)));
  }
  void no_progress(const std::string& why) {
    if (!world_.failed()) world_.fail(Verdict::kNoProgress, why);
  }

  void create_topic() {
    admin_.aim(any_broker().host());
    wire::CreateTopicsRequest request;
    request.timeout_ms = 1500;
    auto& topic = request.topics.emplace_back();
    topic.name = kTopic;
    topic.num_partitions = kPartitions;
    topic.replication_factor = 3;
    topic.configs.push_back({"segment.ms", "700"});
    admin_.call<wire::CreateTopicsResponse>(request, 7, [this](const auto* response) {
      using wire::ErrorCode;
      if (response != nullptr) {
        const ErrorCode code = response->topics.at(0).error_code;
        created_ = code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists;
      }
      if (!created_) world_.after(milliseconds(100), [this] { create_topic(); });
    });
  }

  // ---- faults

  BrokerMachine& any_broker() { return *cluster_.brokers[random_.below(cluster_.brokers.size())]; }
  ControllerMachine& any_controller() {
    return *cluster_.controllers[random_.below(cluster_.controllers.size())];
  }
  std::string any_host() {
    return random_.chance(1, 2) ? any_broker().host() : any_controller().host();
  }

  void misbehave() {
    if (!faulty_) return;
    world_.after(milliseconds(random_.between(20, 900)), [this] { misbehave(); });
    if (random_.chance(1, 3)) {
      harm_controller(any_controller());
    } else if (random_.chance(1, 4)) {
      harm_network();
    } else {
      harm_broker(any_broker());
    }
  }

  template <class Machine>
  bool start_again(Machine& machine) {
    if (machine.up() && !machine.broken()) return false;
    // What a failed sync left in the page cache is not on the medium: the machine starts anew.
    if (machine.broken()) machine.crash(true);
    if (random_.chance(2, 3)) {
      machine.disk.faults = {};
      machine.may_fail_to_start = false;
      machine.start();
    }
    return true;
  }

  void harm_broker(BrokerMachine& broker) {
    if (start_again(broker)) return;
    auto& disk = broker.disk;
    switch (random_.below(9)) {
      case 0:
        return broker.crash(true);
      case 1:
        return broker.crash(false);
      case 2:
      case 3:
        return disk.stop_at(disk.operations() + random_.below(60));
      case 4:
        broker.may_fail_to_start = true;
        disk.faults.fail_sync = disk.syncs() + random_.below(12);
        return;
      case 5:
        broker.may_fail_to_start = true;
        disk.faults.fail_operation = disk.operations() + random_.below(60);
        return;
      case 6: {
        const auto space = disk.space("/");
        if (!space || disk.faults.capacity_bytes) return disk.faults.capacity_bytes.reset();
        disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + random_.below(6000);
        broker.may_fail_to_start = true;
        return;
      }
      default:
        return broker.stop();
    }
  }

  void harm_controller(ControllerMachine& controller) {
    if (start_again(controller)) return;
    switch (random_.below(4)) {
      case 0:
        return controller.crash(false);
      case 1:
        return controller.disk.stop_at(controller.disk.operations() + random_.below(20));
      default:
        return controller.crash(true);
    }
  }

  void harm_network() {
    const std::string a = any_host();
    const std::string b = any_host();
    switch (random_.below(4)) {
      case 0:
      case 1:
        cluster_.facts.network.heal();
        cluster_.rpc.heal();
        return;
      case 2:
        if (a != b) cluster_.facts.network.reset(a, b);
        return;
      default:
        if (a == b) return;
        world_.trace("cut", a + " | " + b);
        cluster_.facts.network.cut(a, b);
        cluster_.rpc.cut(a, b);
        return;
    }
  }

  // ---- the end

  void heal_and_check() {
    if (world_.failed()) return;
    faulty_ = false;
    world_.trace("heal");
    cluster_.heal();
    if (!everybody_goes_on()) return;
    for (auto& each : writers_) each->finish();
    if (!world_.run_until([&] { return all(writers_, [](auto& w) { return w.done(); }); },
                          seconds(30))) {
      return no_progress("a producer cannot finish");
    }
    if (!world_.run_until([&] { return settled(); }, seconds(60))) {
      return no_progress("60 s after all healed, not all replicas are in sync");
    }
    cluster_.check_replicas_equal(kTopic);
    if (world_.failed()) return;
    // All power goes at once, and comes back.
    for (auto& each : cluster_.brokers) each->crash(true);
    for (auto& each : cluster_.controllers) each->crash(true);
    cluster_.heal();
    read_everything();
    if (!world_.run_until([&] { return settled(); }, seconds(60))) {
      return no_progress("60 s after the power came back, not all replicas are in sync");
    }
    cluster_.check_replicas_equal(kTopic);
  }

  template <class Actors, class Check>
  static bool all(const Actors& actors, Check check) {
    return std::ranges::all_of(actors, [&](const auto& each) { return check(*each); });
  }

  bool settled() const { return cluster_.everybody_serves() && cluster_.fully_replicated(kTopic); }

  bool everybody_goes_on() {
    std::vector<std::uint64_t> before;
    for (auto& each : writers_) before.push_back(each->acknowledged());
    for (auto& each : readers_) before.push_back(each->polls());
    std::string who;
    const bool good = world_.run_until(
        [&] {
          std::size_t i = 0;
          for (auto& each : writers_) {
            who = each->host();
            if (each->acknowledged() < before[i++] + 10) return false;
          }
          for (auto& each : readers_) {
            who = each->host();
            if (each->polls() < before[i++] + 10) return false;
          }
          return true;
        },
        seconds(60));
    if (!good) no_progress("60 s after all healed, no progress: " + who);
    return good;
  }

  // A fresh consumer finds all that anybody was told of.
  void read_everything() {
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      PartitionHistory& history = cluster_.facts.history(kTopic, i);
      // Kept: events of the world know it.
      auto& reader = *readers_.emplace_back(std::make_unique<TailReader>(
          cluster_.facts, "fresh reader" + std::to_string(i), cluster_.broker_hosts(), kTopic, i));
      const auto end = history.by_offset().empty() ? 0 : history.by_offset().rbegin()->first + 1;
      reader.start();
      const bool read = world_.run_until([&] { return reader.position() >= end; }, seconds(60));
      if (!read) return no_progress("nobody can read all of partition " + std::to_string(i));
      world_.trace("read", static_cast<std::uint64_t>(reader.position()));
      history.check_contents(reader.records(), 0, reader.position());
    }
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  KafkaClient admin_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::unique_ptr<TailReader>> readers_;
  bool created_ = false;
  bool faulty_ = true;
};

}  // namespace

void run_cluster(World& world) {
  auto run = std::make_unique<ClusterRun>(world);
  run->run();
}

}  // namespace sim
