// Replicas that the controller moves of its own accord: brokers are added, drained and taken back
// in, balancing is started and paused, while machines end, freeze and are cut off. Once all is well
// it comes to an end, with all racks used and brokers even.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/node/methods.h"
#include "proto/controller.pb.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/move_watch.h"
#include "tests/sim/cluster/operator_client.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "kept";
constexpr std::int32_t kPartitions = 16;
constexpr std::int32_t kWritten = 3;  // of them
constexpr std::int16_t kReplicas = 3;
constexpr std::uint64_t kRestMax = 2000;

// Two brokers in one rack, one alone in its own, two in the third. The last ones come later.
ClusterOptions options_for(base::Random& random) {
  return {.brokers = 5,
          .brokers_at_first = static_cast<std::int32_t>(random.between(3, 6)),
          .racks = {"a", "a", "b", "c", "c"}};
}

class BalanceRun {
 public:
  explicit BalanceRun(World& world)
      : world_(world),
        random_(world.random("workload")),
        cluster_(world, options_for(random_)),
        watch_(cluster_, kReplicas),
        admin_(cluster_, [this] { return cluster_.brokers[random_.below(3)]->host(); }),
        operator_(cluster_),
        fresh_(cluster_) {
    cluster_.facts.slowness = std::int64_t{1} << random_.between(2, 8);
    for (std::int32_t i = 0; i < kWritten; ++i) {
      writers_.push_back(std::make_unique<Writer>(
          cluster_.facts, "writer" + std::to_string(i), cluster_.broker_hosts(),
          Writer::Options{.topic = kTopic, .partition = i}));
    }
  }

  void run() {
    cluster_.start();
    if (!admin_.create({.name = kTopic, .partitions = kPartitions, .replicas = kReplicas})) return;
    for (auto& each : writers_) each->start();
    world_.after(seconds(1), [this] { step(); });
    world_.run_for(seconds(50));
    over_ = true;
    if (!world_.failed()) heal_and_check();
    if (world_.failed() && world_.verbose()) cluster_.describe(kTopic);
  }

 private:
  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }

  // ---- what happens

  void step() {
    if (over_) return;
    world_.after(milliseconds(random_.between(100, 3000)), [this] { step(); });
    switch (random_.below(5)) {
      case 0:
        return harm(*cluster_.controllers[random_.below(cluster_.controllers.size())]);
      case 1:
        return harm(*cluster_.brokers[random_.below(cluster_.brokers.size())]);
      case 2:
        return network();
      default:
        return operate();
    }
  }

  // Only what has joined once.
  template <class Machine>
  void harm(Machine& machine) {
    if (!machine.up()) {
      if (machine.id() <= joined_ || !is_broker(machine)) machine.start();
      return;
    }
    switch (random_.below(3)) {
      case 0:
        return machine.crash(true);
      case 1:
        return machine.crash(false);
      default:
        machine.freeze();
        world_.after(milliseconds(random_.between(50, 5000)), [&machine] { machine.thaw(); });
    }
  }
  static bool is_broker(const BrokerMachine&) { return true; }
  static bool is_broker(const ControllerMachine&) { return false; }

  void network() {
    cluster_.facts.network.heal();
    cluster_.rpc.heal();
    if (random_.chance(1, 2)) return;
    const auto& one = *cluster_.brokers[random_.below(cluster_.brokers.size())];
    const std::string& other =
        random_.chance(1, 2) ? cluster_.brokers[random_.below(cluster_.brokers.size())]->host()
                             : cluster_.controllers[random_.below(3)]->host();
    if (one.host() == other) return;
    world_.trace("cut", one.host() + " | " + other);
    cluster_.facts.network.cut(one.host(), other);
    cluster_.rpc.cut(one.host(), other);
  }

  void operate() {
    switch (random_.below(6)) {
      case 0:
      case 1:
        operator_.balance(true);
        return;
      case 2:
        operator_.balance(false);
        return;
      case 3:
        // Three brokers stay, so that the replicas have where to go.
        return draining_ > 0 ? resume() : drain(static_cast<std::int32_t>(random_.between(1, 6)));
      default:
        // A broker that is new joins; else those that are down come back, so that moves can begin.
        if (joined_ < static_cast<std::int32_t>(cluster_.brokers.size())) {
          return cluster_.brokers[static_cast<std::size_t>(joined_++)]->start();
        }
        return mend();
    }
  }
  void mend() {
    cluster_.facts.network.heal();
    cluster_.rpc.heal();
    for (auto& each : cluster_.controllers) {
      if (!each->up()) each->start();
    }
    for (auto& each : cluster_.brokers) {
      if (!each->up() && each->id() <= joined_) each->start();
    }
  }
  void drain(std::int32_t broker) {
    if (broker > joined_ || joined_ < 5) return;
    draining_ = broker;
    operator_.drain(broker);
  }
  void resume() {
    operator_.resume(draining_);
    draining_ = 0;
  }

  // ---- the end

  void heal_and_check() {
    world_.trace("heal");
    cluster_.facts.slowness = 1;
    cluster_.heal();
    for (auto& each : writers_) each->finish();
    const auto all_done = [&] {
      return std::ranges::all_of(writers_, [](const auto& each) { return each->done(); });
    };
    if (!world_.run_until(all_done, seconds(40))) return no_progress("a producer cannot finish");
    const auto served = [&] { return cluster_.everybody_serves() && cluster_.image(); };
    if (!world_.run_until(served, seconds(40))) return no_progress("a broker does not serve");
    world_.run_for(OperatorClient::kPatience);  // what was asked before is done, or given up
    for (std::int32_t id = 1; id <= 5; ++id) {
      if (!insist([this, id] { return operator_.resume(id); })) return;
    }
    if (!insist([this] { return operator_.balance(true); })) return;
    const auto even = [&] {
      const meta::ImagePtr now = cluster_.image();
      return now && !now->balancing() && cluster_.fully_replicated(kTopic);
    };
    if (!world_.run_until(even, seconds(120))) {
      return no_progress("120 s after all healed, balancing does not end");
    }
    check_even(*cluster_.image());
    if (!world_.failed()) check_rest();
    cluster_.check_replicas_equal(kTopic);
    read_everything();
  }

  // The operator asks again and again until it is told that it is done.
  bool insist(const std::function<OperatorClient::Confirmed()>& ask) {
    for (int i = 0; i < 40; ++i) {
      const auto confirmed = ask();
      if (world_.run_until([&] { return *confirmed; }, OperatorClient::kPatience)) return true;
    }
    no_progress("no controller does what the operator asks for");
    return false;
  }

  // A replica in each rack, and brokers that share a rack share its replicas.
  void check_even(const meta::Image& image) {
    std::map<base::BrokerId, int> held;
    for (const auto& [id, broker] : image.brokers()) held[id] = 0;
    for (const meta::Partition& partition : image.topic(kTopic)->partitions) {
      std::set<std::string> racks;
      for (const base::BrokerId id : partition.replicas) {
        ++held[id];
        racks.insert(image.broker(id)->rack);
      }
      if (racks.size() != 3) return cluster_.facts.wrong("two replicas share a rack in the end");
    }
    for (const auto& [one, count] : held) {
      for (const auto& [other, fewer] : held) {
        if (image.broker(one)->rack != image.broker(other)->rack || count - fewer < 2) continue;
        return cluster_.facts.wrong("broker " + std::to_string(one.value()) + " holds " +
                                    std::to_string(count) + " replicas, its neighbour " +
                                    std::to_string(fewer));
      }
    }
    world_.trace("even", watch_.begun());
  }

  // Nobody asks for anything: heartbeats and long polls are left. A few hundred events a second;
  // two that ask each other again and again make thousands.
  void check_rest() {
    world_.run_for(seconds(11));  // preferred leaders, and what follows
    const std::uint64_t before = world_.events();
    world_.run_for(seconds(2));
    const std::uint64_t each_second = (world_.events() - before) / 2;
    world_.trace("at rest", each_second);
    if (each_second > kRestMax) {
      cluster_.facts.wrong(std::to_string(each_second) + " events a second with nothing to do");
    }
  }

  void read_everything() {
    for (std::int32_t i = 0; i < kWritten && !world_.failed(); ++i) {
      fresh_.read(kTopic, i, "reader" + std::to_string(i));
    }
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  MoveWatch watch_;
  InsistentAdmin admin_;
  OperatorClient operator_;
  std::vector<std::unique_ptr<Writer>> writers_;
  FreshReaders fresh_;
  std::int32_t joined_ = cluster_.at_first();  // brokers from 1 on
  std::int32_t draining_ = 0;
  bool over_ = false;
};

}  // namespace

void run_balance(World& world) {
  auto run = std::make_unique<BalanceRun>(world);
  run->run();
}

}  // namespace sim
