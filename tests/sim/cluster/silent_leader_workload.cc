// A leader that falls silent: nobody closes the connections to it. What brings its clients to ask
// who leads now, and what that does to those who are at work with other brokers.
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/node/recall.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/hasty_producer.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "led";
constexpr std::int32_t kPartitions = 3;
constexpr int kRounds = 4;
// broker.session.timeout.ms and what a broker may wait before it recalls; and a little for the way.
constexpr base::Duration kTold =
    seconds(3) + broker::Recall::kFirst + 2 * broker::Recall::kStep + milliseconds(300);
constexpr std::size_t kUnderWayMax = 400;

// A producer that does not wait for answers and does not try again: each record is in the log once
// if it was acknowledged, and not at all otherwise.
class Stream {
 public:
  Stream(Facts& facts, const std::string& name)
      : facts_(facts), client_(facts.world, facts.network, name) {
    client_.patience = seconds(60);
  }

  // Writes to `partition`, which `leader` leads, until stop().
  void start(const std::string& leader, std::int32_t partition) {
    client_.aim(leader);
    partition_ = partition;
    runs_ = true;
    step();
  }
  void stop() { runs_ = false; }
  bool idle() const { return !stepping_ && client_.idle(); }
  std::int64_t acknowledged(std::int32_t partition) const {
    return acknowledged_.at(static_cast<std::size_t>(partition));
  }
  std::int64_t lost() const { return lost_; }

 private:
  void step() {
    stepping_ = runs_;
    if (!runs_) return;
    facts_.world.after(milliseconds(3), [this] { step(); });
    if (under_way_ < kUnderWayMax) send();
  }
  void send() {
    ++under_way_;
    const base::Bytes bytes = make_value_batch({facts_.new_value()}, 1'700'000'000'000, 10);
    wire::ProduceRequest request{.acks = -1, .timeout_ms = 30'000};
    auto& topic = request.topic_data.emplace_back();
    topic.name = kTopic;
    topic.partition_data.push_back({.index = partition_, .records = wire::Records::of(bytes)});
    client_.call<wire::ProduceResponse>(
        request, 9, [this, partition = partition_](const wire::ProduceResponse* response) {
          --under_way_;
          if (response == nullptr) {
            ++lost_;
            return;
          }
          const auto& result = response->responses.at(0).partition_responses.at(0);
          if (result.error_code != wire::ErrorCode::kNone) {
            return facts_.wrong("a record is refused: " +
                                std::string(wire::name(result.error_code)));
          }
          ++acknowledged_[static_cast<std::size_t>(partition)];
        });
  }

  Facts& facts_;
  KafkaClient client_;
  std::int32_t partition_ = 0;
  bool runs_ = false;
  bool stepping_ = false;
  std::size_t under_way_ = 0;
  std::int64_t lost_ = 0;
  std::vector<std::int64_t> acknowledged_ = std::vector<std::int64_t>(kPartitions);
};

// Asks a broker who leads, then waits for records there: what it does not hear it does not know.
class Waiter {
 public:
  Waiter(World& world, SimNetwork& network, const std::string& name)
      : world_(world), client_(world, network, name) {
    client_.patience = seconds(60);
  }

  void wait_at(const std::string& host, std::int32_t partition) {
    recalled_.reset();
    client_.aim(host);
    ask([this, partition](std::int32_t) { fetch(partition); });
  }
  std::optional<base::Instant> recalled() const { return recalled_; }
  // Of partition 0, as the broker at `host` says.
  std::int32_t leader_at(const std::string& host) {
    client_.aim(host);
    auto leader = std::make_shared<std::optional<std::int32_t>>();
    ask([leader](std::int32_t told) { *leader = told; });
    world_.run_until([&] { return leader->has_value(); }, seconds(2));
    return leader->value_or(-1);
  }

 private:
  void ask(std::function<void(std::int32_t)> then) {
    wire::MetadataRequest request;
    request.topics->push_back({.name = kTopic});
    client_.call<wire::MetadataResponse>(request, 10, [then](const wire::MetadataResponse* told) {
      if (told == nullptr) return then(-1);
      for (const auto& each : told->topics.at(0).partitions) {
        if (each.partition_index == 0) then(each.leader_id);
      }
    });
  }
  void fetch(std::int32_t partition) {
    wire::FetchRequest request;
    request.max_wait_ms = 30'000;
    request.min_bytes = 1 << 30;
    request.max_bytes = 1 << 30;
    auto& topic = request.topics.emplace_back();
    topic.topic = kTopic;
    auto& wanted = topic.partitions.emplace_back();
    wanted.partition = partition;
    wanted.partition_max_bytes = 1000;
    client_.call<wire::FetchResponse>(request, 11, [this](const wire::FetchResponse* response) {
      if (response == nullptr) recalled_ = world_.now();
    });
  }

  World& world_;
  KafkaClient client_;
  std::optional<base::Instant> recalled_;
};

class SilentLeaderRun {
 public:
  explicit SilentLeaderRun(World& world)
      : world_(world),
        cluster_(world, {.brokers = 3}),
        admin_(cluster_, [this] { return cluster_.brokers.front()->host(); }),
        stream_(cluster_.facts, "stream"),
        hasty_(cluster_.facts, "hasty", kTopic, 0),
        fresh_(cluster_),
        waiters_{{{world, cluster_.facts.network, "waiter a"},
                  {world, cluster_.facts.network, "waiter b"}}} {}

  void run() {
    cluster_.start();
    const auto serve = [&] { return cluster_.everybody_serves(); };
    if (!world_.run_until(serve, seconds(30))) return no_progress("a broker does not serve");
    if (!admin_.create({.name = kTopic, .partitions = kPartitions})) return;
    for (int round = 0; round < kRounds && !world_.failed(); ++round) {
      if (!settled()) return no_progress("not all replicas are in sync");
      world_.run_for(milliseconds(500));  // until all brokers have heard of that
      silence_one();
      world_.run_for(broker::Recall::kPause);
    }
    if (!world_.failed()) check_hasty();
  }

 private:
  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }
  bool settled() {
    return world_.run_until(
        [&] { return cluster_.everybody_serves() && cluster_.fully_replicated(kTopic); },
        seconds(60));
  }
  std::int32_t leader_of(std::int32_t partition) const {
    return cluster_.image()
        ->topic(kTopic)
        ->partitions[static_cast<std::size_t>(partition)]
        .leader.value();
  }
  BrokerMachine& machine(std::int32_t id) {
    return *cluster_.brokers[static_cast<std::size_t>(id - 1)];
  }

  void silence_one() {
    const std::int32_t id = leader_of(0);
    BrokerMachine& a = machine(id % 3 + 1);
    BrokerMachine& b = machine((id + 1) % 3 + 1);
    std::int32_t other = 1;
    while (other < kPartitions && leader_of(other) == id) ++other;
    if (other == kPartitions) return;  // one broker leads all
    waiters_[0].wait_at(a.host(), other);
    waiters_[1].wait_at(b.host(), other);
    stream_.start(machine(leader_of(other)).host(), other);
    hasty_.write_to(machine(id).host());
    world_.run_for(milliseconds(600));
    const base::Instant began = world_.now();
    machine(id).freeze();
    const auto both = [&] { return waiters_[0].recalled() && waiters_[1].recalled(); };
    const auto one = [&] { return waiters_[0].recalled() || waiters_[1].recalled(); };
    if (!world_.run_until(one, kTold)) return cluster_.facts.wrong("nobody is told of the silence");
    // Whoever is told asks the other one, and hears of the next leader.
    BrokerMachine& other_one = waiters_[0].recalled() ? b : a;
    Waiter asks(world_, cluster_.facts.network, "asker");
    if (asks.leader_at(other_one.host()) == id) cluster_.facts.wrong("the silent broker leads");
    if (!world_.run_until(both, began + kTold - world_.now())) {
      return cluster_.facts.wrong("a client is not told of the silence");
    }
    const auto apart = *waiters_[0].recalled() - *waiters_[1].recalled();
    if (std::max(apart, -apart) < broker::Recall::kStep / 2) {
      cluster_.facts.wrong("both brokers recall their clients at once");
    }
    hasty_.write_to(machine(leader_of(0)).host());
    world_.run_for(seconds(1));
    stream_.stop();
    hasty_.stop();
    machine(id).thaw();
    if (!world_.run_until([&] { return stream_.idle() && hasty_.idle(); }, seconds(60))) {
      return no_progress("records are neither acknowledged nor refused");
    }
    if (!settled()) return no_progress("the broker does not come back");
    compare(other);
  }

  // What the hasty one was told of is there, and nothing of it twice.
  void check_hasty() {
    fresh_.read(kTopic, 0, "reader");
    std::set<Value> found;
    for (const auto& [offset, value] : cluster_.facts.history(kTopic, 0).by_offset()) {
      found.insert(value);
    }
    for (const Value value : hasty_.implied()) {
      if (!found.contains(value))
        cluster_.facts.wrong("what an acknowledgement implies is missing");
    }
  }

  // The log has what was acknowledged, and nothing else.
  void compare(std::int32_t partition) {
    std::int64_t end = -1;
    const auto answered = [&](const wire::ListOffsetsResponse& response) {
      const auto& told = response.topics.at(0).partitions.at(0);
      if (told.error_code == wire::ErrorCode::kNone) end = told.offset;
      return end >= 0;
    };
    wire::ListOffsetsRequest request{.replica_id = -1};
    auto& topic = request.topics.emplace_back();
    topic.name = kTopic;
    topic.partitions.push_back({.partition_index = partition, .timestamp = -1});
    InsistentAdmin reader(cluster_, [&] { return machine(leader_of(partition)).host(); });
    if (!reader.insist<wire::ListOffsetsResponse>(request, 5, answered)) {
      return no_progress("the end of a log is not told");
    }
    if (end != stream_.acknowledged(partition)) {
      cluster_.facts.wrong("the log has " + std::to_string(end) + " records, acknowledged were " +
                           std::to_string(stream_.acknowledged(partition)));
    }
  }

  World& world_;
  Cluster cluster_;
  InsistentAdmin admin_;
  Stream stream_;
  HastyProducer hasty_;
  FreshReaders fresh_;
  std::array<Waiter, 2> waiters_;
};

}  // namespace

void run_silent_leader(World& world) {
  auto run = std::make_unique<SilentLeaderRun>(world);
  run->run();
}

}  // namespace sim
