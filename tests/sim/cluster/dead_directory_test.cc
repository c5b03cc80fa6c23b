// A log directory that dies while its broker starts, at each event of that in turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "kept";
constexpr std::int32_t kPartitions = 4;

// One broker that holds the only replica of each partition, in two directories.
class DeadDirectoryRun {
 public:
  explicit DeadDirectoryRun(World& world)
      : world_(world),
        cluster_(world, {.controllers = 1, .brokers = 1}),
        broker_(*cluster_.brokers.front()),
        admin_(cluster_, [this] { return broker_.host(); }),
        readers_(cluster_) {}

  // False: the start was over before so many events.
  bool run(std::uint64_t events, bool first) {
    if (!write()) return true;
    // The controller does not believe any more what it knew of where replicas are.
    broker_.crash(false);
    broker_.lose_directory(first);
    broker_.start();
    world_.run_for(seconds(1));
    broker_.crash(false);
    broker_.disk.faults = {};
    broker_.start();
    for (std::uint64_t i = 0; i < events && !world_.failed(); ++i) world_.step();
    const bool starting = !broker_.serving();
    broker_.may_fail_to_start = true;
    broker_.lose_directory(first);
    world_.run_for(seconds(1));
    check_leaders();
    // All is well again.
    broker_.crash(false);
    cluster_.heal();
    const auto serves = [&] { return cluster_.fully_replicated(kTopic); };
    if (!world_.run_until(serves, seconds(30))) cluster_.facts.no_progress("not all are led");
    for (std::int32_t i = 0; i < kPartitions && !world_.failed(); ++i) {
      readers_.read(kTopic, i, "reader" + std::to_string(i));
    }
    return starting;
  }

 private:
  bool write() {
    cluster_.start();
    if (!admin_.create({.name = kTopic,
                        .partitions = kPartitions,
                        .replicas = 1,
                        .configs = {{"min.insync.replicas", "1"}}})) {
      return false;
    }
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      writers_.push_back(std::make_unique<Writer>(
          cluster_.facts, "writer" + std::to_string(i), cluster_.broker_hosts(),
          Writer::Options{.topic = kTopic, .partition = i}));
      writers_.back()->start();
    }
    world_.run_for(milliseconds(200));
    for (auto& each : writers_) each->finish();
    const auto done = [&] {
      return std::ranges::all_of(
          writers_, [](const auto& each) { return each->done() && each->acknowledged() > 0; });
    };
    if (world_.run_until(done, seconds(30))) return true;
    cluster_.facts.no_progress("a producer cannot finish");
    return false;
  }

  // The controller knows by now what the broker does not serve.
  void check_leaders() {
    if (!broker_.serving() || !cluster_.image()) return;
    const auto table = broker_.broker()->node().partitions->snapshot();
    const auto* here = table->find(kTopic);
    for (std::size_t i = 0; i < kPartitions; ++i) {
      const bool is_open = here != nullptr && here->partitions[i] != nullptr;
      const auto leader = cluster_.image()->topic(kTopic)->partitions[i].leader;
      if (is_open || leader == meta::kNoBroker) continue;
      cluster_.facts.wrong("partition " + std::to_string(i) + " is led but not served");
    }
  }

  World& world_;
  Cluster cluster_;
  BrokerMachine& broker_;
  InsistentAdmin admin_;
  FreshReaders readers_;
  std::vector<std::unique_ptr<Writer>> writers_;
};

// Goal: what is in a directory that dies during the start is not made anew in the other one,
// whatever the broker and the controller knew of it by then: the next start finds everything that
// was acknowledged, and until then nobody is said to lead what is not served.
TEST(DeadDirectory, IsNotReplacedDuringTheStart) {
  for (const bool first : {false, true}) {
    std::uint64_t events = 0;
    for (bool starting = true; starting; ++events) {
      World world(7);
      auto run = std::make_unique<DeadDirectoryRun>(world);
      starting = run->run(events, first);
      ASSERT_FALSE(world.failed()) << "dead after " << events << " events: " << world.why();
    }
    EXPECT_GT(events, 20U);
  }
}

}  // namespace
}  // namespace sim
