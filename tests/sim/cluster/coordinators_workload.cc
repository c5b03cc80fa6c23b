#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/keepers.h"
#include "tests/sim/cluster/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CoordinatorsRun {
 public:
  explicit CoordinatorsRun(World& world)
      : world_(world),
        random_(world.random("workload")),
        cluster_(world, {.brokers = 3}),
        admin_(
            cluster_,
            [this] { return cluster_.brokers[random_.below(cluster_.brokers.size())]->host(); },
            seconds(3)) {
    for (int i = 0; i < 3; ++i) {
      const std::string number = std::to_string(i);
      keepers_.push_back(
          std::make_unique<IdKeeper>(cluster_.facts, "id" + number, cluster_.broker_hosts()));
      keepers_.push_back(std::make_unique<OffsetKeeper>(cluster_.facts, "group" + number,
                                                        cluster_.broker_hosts()));
    }
  }

  void run() {
    cluster_.start();
    if (!admin_.create({.name = "kept"})) return;
    for (auto& each : keepers_) each->start();
    if (!confirmed_again("at first")) return;
    mischief();
    world_.run_for(seconds(20));
    over_ = true;
    if (world_.failed()) return;
    cluster_.heal();
    confirmed_again("after all healed");
  }

 private:
  // Brokers end and come back, one or all of them, with their power or without.
  void mischief() {
    if (over_) return;
    const bool all = random_.chance(1, 2);
    const bool power = random_.chance(1, 2);
    const auto chosen = random_.below(cluster_.brokers.size());
    for (std::size_t i = 0; i < cluster_.brokers.size(); ++i) {
      if (!all && i != chosen) continue;
      BrokerMachine& broker = *cluster_.brokers[i];
      if (broker.up()) broker.crash(power);
      world_.after(milliseconds(random_.between(20, 2500)), [&broker, this] {
        if (!broker.up() && !over_) broker.start();
      });
    }
    world_.after(milliseconds(random_.between(300, 6000)), [this] { mischief(); });
  }

  // Every keeper is told five times more that all is there.
  bool confirmed_again(const std::string& when) {
    std::vector<std::uint64_t> before;
    for (auto& each : keepers_) before.push_back(each->confirmed());
    std::string who;
    const bool good = world_.run_until(
        [&] {
          for (std::size_t i = 0; i < keepers_.size(); ++i) {
            who = keepers_[i]->name();
            if (keepers_[i]->confirmed() < before[i] + 5) return false;
          }
          return true;
        },
        seconds(60));
    if (!good) cluster_.facts.no_progress("60 s " + when + ", no answer for " + who);
    return good;
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  InsistentAdmin admin_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  bool over_ = false;
};

}  // namespace

void run_coordinators(World& world) { std::make_unique<CoordinatorsRun>(world)->run(); }

}  // namespace sim
