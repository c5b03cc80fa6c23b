#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/mischief.h"
#include "tests/sim/cluster/tail_reader.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::seconds;

constexpr const char* kTopic = "kept";
constexpr std::int32_t kPartitions = 2;
constexpr std::uint64_t kPaces = 8;  // each is half as fast as the one before

class ClusterRun {
 public:
  explicit ClusterRun(World& world)
      : world_(world),
        random_(world.random("workload")),
        cluster_(world, {.brokers = random_.chance(1, 2)   ? 3
                                    : random_.chance(1, 2) ? 4
                                                           : 5}),
        mischief_(cluster_, kTopic, kPartitions),
        admin_(cluster_,
               [this] { return cluster_.brokers[random_.below(cluster_.brokers.size())]->host(); }),
        fresh_(cluster_) {
    // Some seeds are busy. Most have time for what is rare: sessions and timeouts that end,
    // elections, what comes after them.
    const auto calm = static_cast<std::int64_t>(world.random("pace").below(kPaces));
    cluster_.facts.slowness = std::int64_t{1} << calm;
    span_ = seconds(20 + 10 * calm);
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
    const bool made = admin_.create(
        {.name = kTopic, .partitions = kPartitions, .configs = {{"segment.ms", "700"}}});
    if (!made) return;
    for (auto& each : writers_) each->start();
    for (auto& each : readers_) each->start();
    mischief_.start(span_);
    world_.run_for(span_);
    heal_and_check();
    if (world_.failed() && world_.verbose()) cluster_.describe(kTopic);
  }

 private:
  void add_writer(Writer::Options options) {
    writers_.push_back(std::make_unique<Writer>(cluster_.facts,
                                                "writer" + std::to_string(writers_.size()),
                                                cluster_.broker_hosts(), std::move(options)));
  }
  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }

  // ---- the end

  void heal_and_check() {
    if (world_.failed()) return;
    mischief_.stop();
    world_.trace("heal");
    cluster_.facts.slowness = 1;
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
      const auto end = fresh_.read(kTopic, i, "fresh reader" + std::to_string(i));
      if (end < 0) return;
      world_.trace("read", static_cast<std::uint64_t>(end));
    }
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  Mischief mischief_;
  InsistentAdmin admin_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::unique_ptr<TailReader>> readers_;
  FreshReaders fresh_;
  base::Duration span_{};  // of the time in which things go wrong
};

}  // namespace

void run_cluster(World& world) {
  auto run = std::make_unique<ClusterRun>(world);
  run->run();
}

}  // namespace sim
