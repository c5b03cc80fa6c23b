// Copying under a throttle, while nothing else is wrong: who is in sync stays so whatever the
// throttle, and a move goes on at the rate that is allowed, to its end; so does the only replica of
// a partition, which meanwhile acknowledges alone.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/partition.h"
#include "common/wire/msg/alter_partition_reassignments_request.h"
#include "common/wire/msg/alter_partition_reassignments_response.h"
#include "common/wire/msg/incremental_alter_configs_request.h"
#include "common/wire/msg/incremental_alter_configs_response.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

constexpr const char* kTopic = "kept";
constexpr std::int8_t kTopicResource = 2;
constexpr std::int8_t kBrokerResource = 4;

class ThrottleRun {
 public:
  ThrottleRun(World& world, std::int16_t replication_factor)
      : world_(world),
        replication_factor_(replication_factor),
        random_(world.random("workload")),
        cluster_(world, {.brokers = 4}),
        admin_(cluster_,
               [this] { return cluster_.brokers[random_.below(cluster_.brokers.size())]->host(); }),
        fresh_(cluster_) {
    for (int i = 0; i < 2; ++i) {
      writers_.push_back(std::make_unique<Writer>(cluster_.facts, "writer" + std::to_string(i),
                                                  cluster_.broker_hosts(),
                                                  Writer::Options{.topic = kTopic}));
    }
  }

  void run() {
    if (!begin()) return;
    if (!keep_in_sync_at_any_rate()) return;
    if (!finish()) return;
    move_slowly();
    if (!world_.failed()) cluster_.check_replicas_equal(kTopic);
  }

  // With one replica and acks=all. While it is copied only the leader is in sync, and acknowledges
  // what it has itself; what that is moves along.
  void run_lone() {
    if (!begin()) return;
    for (int i = 0; i < 3; ++i) {
      if (!throttle(1)) return no_progress("the throttle is not set");
      const std::int32_t target = begin_move();
      if (target < 0) return;
      const std::uint64_t before = acknowledged();
      world_.run_for(seconds(3));
      const meta::Partition* now = partition();
      if (now == nullptr || now->adding.size() != 1 || now->isr.size() != 1) {
        return cluster_.facts.wrong("the move was not held back");
      }
      if (acknowledged() < before + 10) return no_progress("a move keeps producers waiting");
      if (!throttle(1'000'000'000)) return no_progress("the throttle is not lifted");
      if (!arrive(target)) return;
    }
    if (world_.failed() || !finish()) return;
    fresh_.read(kTopic, 0, "fresh reader");  // where it has moved to
  }

 private:
  bool begin() {
    cluster_.start();
    InsistentAdmin::NewTopic topic{.name = kTopic, .replicas = replication_factor_};
    // Of the replicas that are being added, too: with two, all would wait for the new one.
    if (replication_factor_ == 1) topic.configs["min.insync.replicas"] = "1";
    if (!admin_.create(topic)) return false;
    if (!world_.run_until([&] { return cluster_.fully_replicated(kTopic); }, seconds(30))) {
      return no_progress("not all replicas are in sync"), false;
    }
    watch();
    for (auto& each : writers_) each->start();
    world_.run_for(seconds(4));
    return !world_.failed();
  }

  bool finish() {
    for (auto& each : writers_) each->finish();
    const auto all_done = [&] {
      return std::ranges::all_of(writers_, [](const auto& each) { return each->done(); });
    };
    if (world_.run_until(all_done, seconds(30))) return true;
    no_progress("a producer cannot finish");
    return false;
  }

  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }
  const meta::Partition* partition() const {
    const meta::ImagePtr image = cluster_.image();
    const meta::Topic* topic = image ? image->topic(kTopic) : nullptr;
    return topic == nullptr ? nullptr : &topic->partitions.front();
  }

  // Nothing fails here: a replica that leaves the ISR was kept from copying.
  void watch() {
    world_.after(milliseconds(20), [this] { watch(); });
    const meta::Partition* now = partition();
    if (now == nullptr) return;
    for (const base::BrokerId each : now->replicas) {
      const bool is_new = std::ranges::find(now->adding, each) != now->adding.end();
      if (is_new || std::ranges::find(now->isr, each) != now->isr.end()) continue;
      cluster_.facts.wrong("broker " + std::to_string(each.value()) + " fell out of sync");
    }
  }

  bool throttle(std::int64_t rate) {
    wire::IncrementalAlterConfigsRequest request;
    const auto add = [&](std::int8_t type, const std::string& name, const std::string& what,
                         const std::string& value) {
      auto& resource = request.resources.emplace_back();
      resource.resource_type = type;
      resource.resource_name = name;
      for (const char* side : {"leader", "follower"}) {
        auto& config = resource.configs.emplace_back();
        config.name = std::string(side) + ".replication.throttled." + what;
        config.value = value;
      }
    };
    add(kTopicResource, kTopic, "replicas", "*");
    add(kBrokerResource, "", "rate", std::to_string(rate));  // of all brokers
    return admin_.insist<wire::IncrementalAlterConfigsResponse>(
        request, 1, [](const auto& response) {
          return std::ranges::all_of(response.responses, [](const auto& each) {
            return each.error_code == ErrorCode::kNone;
          });
        });
  }

  std::uint64_t acknowledged() const {
    std::uint64_t sum = 0;
    for (const auto& each : writers_) sum += each->acknowledged();
    return sum;
  }

  bool keep_in_sync_at_any_rate() {
    if (!throttle(1)) return no_progress("the throttle is not set"), false;
    const std::uint64_t before = acknowledged();
    world_.run_for(seconds(9));
    if (world_.failed()) return false;
    if (acknowledged() > before) return true;
    no_progress("a throttle of copies keeps producers waiting");
    return false;
  }

  std::uint64_t size() const {
    std::uint64_t most = 0;
    for (const auto& each : cluster_.brokers) {
      const auto table = each->broker()->node().partitions->snapshot();
      const auto* found = table->find(kTopic);
      if (found == nullptr) continue;
      for (const auto& replica : found->partitions) {
        if (replica) most = std::max(most, replica->bounds().size_bytes);
      }
    }
    return most;
  }

  // The last replica goes to a broker that has none, within about five seconds.
  void move_slowly() {
    if (!throttle(static_cast<std::int64_t>(size() / 5))) {
      return no_progress("the throttle is not set");
    }
    const base::Instant began = world_.now();
    const std::int32_t target = begin_move();
    if (target < 0 || !arrive(target)) return;
    const base::Duration took = world_.now() - began;
    world_.trace("moved", static_cast<std::uint64_t>(took / milliseconds(1)));
    if (took < seconds(2)) cluster_.facts.wrong("the move was not held back");
  }

  // Who is to have the last replica; -1: nobody.
  std::int32_t begin_move() {
    wire::AlterPartitionReassignmentsRequest request;
    request.timeout_ms = 1500;
    auto& topic = request.topics.emplace_back();
    topic.name = kTopic;
    std::vector<std::int32_t> target;
    for (const base::BrokerId each : partition()->replicas) target.push_back(each.value());
    for (const auto& each : cluster_.brokers) {
      if (std::ranges::find(target, each->id()) != target.end()) continue;
      target.back() = each->id();
      break;
    }
    topic.partitions.emplace_back().replicas = target;
    if (!admin_.insist<wire::AlterPartitionReassignmentsResponse>(
            request, 1,
            [](const auto& response) { return response.error_code == ErrorCode::kNone; })) {
      return no_progress("the move is not begun"), -1;
    }
    return target.back();
  }

  bool arrive(std::int32_t target) {
    const auto arrived = [&] {
      const meta::Partition* now = partition();
      return now != nullptr && cluster_.fully_replicated(kTopic) &&
             std::ranges::find(now->replicas, base::BrokerId(target)) != now->replicas.end();
    };
    if (world_.run_until(arrived, seconds(60))) return true;
    no_progress("the move does not end");
    return false;
  }

  World& world_;
  const std::int16_t replication_factor_;
  base::Random random_;
  Cluster cluster_;
  InsistentAdmin admin_;
  std::vector<std::unique_ptr<Writer>> writers_;
  FreshReaders fresh_;
};

}  // namespace

void run_throttled(World& world) {
  auto run = std::make_unique<ThrottleRun>(world, std::int16_t{3});
  run->run();
}

void run_lone_moves(World& world) {
  auto run = std::make_unique<ThrottleRun>(world, std::int16_t{1});
  run->run_lone();
}

}  // namespace sim
