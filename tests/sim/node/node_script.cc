// A short life of one node, the same every time, in which one thing goes wrong: at every disk
// operation in turn. Topics are made, producers write to partitions of every durability, records
// are deleted and expire, a consumer ends and comes back, the node ends and comes back. However it
// goes, everybody gets done, and what was promised is there after yet another loss of power.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/msg/produce_request.h"
#include "tests/sim/node/consumer.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/producer.h"
#include "tests/sim/node/topics.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

enum class Fault {
  kNone,
  kPower,            // lost at the operation, which is torn if it is a write
  kPowerTwice,       // and once more while the node recovers
  kKill,             // the process only
  kFailedOperation,  // EIO; the node is restarted, with or without loss of power
  kFailedSync,
  kFullDisk,  // for a while
  kCut,       // the network, for a while
};
constexpr const char* kNames[] = {"nothing",          "power",       "power, twice", "kill",
                                  "failed operation", "failed sync", "full disk",    "cut"};

struct Plan {
  Fault fault = Fault::kNone;
  std::uint64_t index = 0;  // of the disk operation, or of the sync
  bool variant = false;
};

const std::vector<TopicSpec> kTopics = {
    {.name = "kept", .partitions = 2, .configs = {{"segment.ms", "60"}}},
    {.name = "short",
     .partitions = 1,
     .configs = {{"segment.ms", "30"}, {"retention.bytes", "500"}, {"file.delete.delay.ms", "20"}}},
    {.name = "interval", .partitions = 1, .configs = {{"moldau.durability", "interval"}}},
    {.name = "replicated", .partitions = 1, .configs = {{"moldau.durability", "replicated"}}},
};
bool survives_power(const TopicSpec& spec) { return !spec.configs.contains("moldau.durability"); }

class ScriptRun {
 public:
  ScriptRun(World& world, Plan plan)
      : world_(world),
        plan_(plan),
        facts_(world),
        rpc_(world),
        node_(world, facts_.network, rpc_),
        admin_(facts_, "admin", kTopics),
        consumer_(facts_, "consumer", {.topic = "kept", .partitions = 2, .group = "g1"}) {
    facts_.history("short", 0).may_expire();
    rpc_.faults.delay_min = rpc_.faults.delay_max = {};
    node_.on_crash = [this](bool power) {
      if (power) power_lost();
    };
    node_.disk.on_operation = [this](std::string_view, const std::string&) { before_operation(); };
  }

  void run() {
    arm();
    node_.start();
    supervise();
    admin_.create_all();
    if (!until("the topics are not made", [&] { return admin_.created(); })) return;
    consumer_.start();
    if (!produce(5)) return;
    if (!delete_some() || !restart_consumer() || !restart_node() || !produce(3)) return;
    heal();
    const auto kept = read_everything(false);
    const auto once = read_everything(true);
    const auto twice = read_everything(true);
    if (!world_.failed() && (kept != once || once != twice)) {
      world_.fail(Verdict::kIncorrect, "two recoveries differ");
    }
  }

  std::uint64_t operations() const { return node_.disk.operations(); }
  std::uint64_t syncs() const { return node_.disk.syncs(); }
  bool happened() const { return happened_; }

 private:
  bool until(const std::string& otherwise, const std::function<bool()>& done) {
    const bool good = world_.run_until(done, seconds(20));
    if (!good && !world_.failed()) world_.fail(Verdict::kNoProgress, otherwise);
    return good && !world_.failed();
  }
  void wrong(const std::string& why) { world_.fail(Verdict::kIncorrect, why); }

  // ---- the script

  bool produce(std::uint64_t batches) {
    std::vector<Producer*> now;
    for (const TopicSpec& spec : kTopics) {
      for (std::int32_t i = 0; i < spec.partitions; ++i) {
        producers_.push_back(std::make_unique<Producer>(
            facts_, "producer" + std::to_string(producers_.size()),
            Producer::Options{.topic = spec.name, .partition = i, .batches_max = batches}));
        if (!survives_power(spec)) volatile_producers_.push_back(producers_.back().get());
        now.push_back(producers_.back().get());
      }
    }
    for (Producer* each : now) each->start();
    return until("a producer cannot finish", [&] {
      return std::ranges::all_of(now, [](const Producer* each) { return each->done(); });
    });
  }

  bool delete_some() {
    admin_.delete_records_to("kept", 0, 3);
    return until("records are not deleted", [&] {
      if (admin_.done() == 0 && admin_.idle()) admin_.delete_records_to("kept", 0, 3);
      return admin_.done() > 0;
    });
  }

  bool restart_consumer() {
    const auto commits = consumer_.commits();
    if (!until("no commit", [&] { return consumer_.commits() > commits; })) return false;
    const auto found = consumer_.found();
    consumer_.restart();
    return until("the consumer does not come back", [&] { return consumer_.found() > found; });
  }

  bool restart_node() {
    if (!until("the node does not serve", [&] { return node_.serving(); })) return false;
    const int life = node_.lives();
    node_.stop([] {});
    return until("the node does not come back",
                 [&] { return node_.lives() > life && node_.serving(); });
  }

  // Everything as a fresh client finds it after another crash.
  std::vector<TopicContents> read_everything(bool power) {
    if (world_.failed()) return {};
    node_.crash(power);
    node_.start();
    std::vector<TopicContents> all;
    KafkaClient client(world_, facts_.network, "reader" + std::to_string(++readers_));
    for (const TopicSpec& spec : kTopics) {
      for (std::int32_t i = 0; i < spec.partitions; ++i) {
        PartitionHistory& history = facts_.history(spec.name, i);
        const auto asked = history.bounds();
        Reader reader(facts_, client, spec.name, i);
        reader.start();
        if (!until("nobody can read " + spec.name, [&] { return reader.done(); })) return {};
        const TopicContents& found = reader.contents();
        history.start_is(found.start, asked, "final read");
        history.high_watermark_is(found.high_watermark, asked, "final read");
        history.check_contents(found.records, found.start, found.high_watermark);
        if (spec.name == "kept") all.push_back(found);
      }
    }
    const auto found = consumer_.found();
    until("nobody finds what was committed", [&] {
      consumer_.find_committed_if_idle();
      return consumer_.found() > found;
    });
    return all;
  }

  // ---- what goes wrong

  void arm() {
    auto& disk = node_.disk;
    switch (plan_.fault) {
      case Fault::kNone:
      case Fault::kFullDisk:
      case Fault::kCut:
        return;
      case Fault::kKill:
        node_.stops_with_power = false;
        [[fallthrough]];
      case Fault::kPower:
      case Fault::kPowerTwice:
        return disk.stop_at(plan_.index);
      case Fault::kFailedOperation:
        node_.may_fail_to_start = true;
        disk.faults.fail_operation = plan_.index;
        return;
      case Fault::kFailedSync:
        node_.may_fail_to_start = true;
        disk.faults.fail_sync = plan_.index;
        return;
    }
  }

  void before_operation() {
    if (happened_ || node_.disk.operations() < plan_.index) return;
    happened_ = true;
    if (plan_.fault == Fault::kFullDisk) {
      const auto space = node_.disk.space("/");
      const std::uint64_t room = plan_.variant ? 50 : 0;
      node_.disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + room;
      node_.may_fail_to_start = true;
      world_.after(milliseconds(200), [this] { node_.disk.faults.capacity_bytes.reset(); });
    }
    if (plan_.fault == Fault::kCut) {
      for (const auto& each : producers_) facts_.network.cut(each->client().host(), kNodeHost);
      facts_.network.cut(consumer_.client().host(), kNodeHost);
      world_.after(milliseconds(100), [this] { facts_.network.heal(); });
    }
  }

  void power_lost() {
    for (Producer* each : volatile_producers_) each->begin_anew();
    facts_.history("interval", 0).power_lost();
    facts_.history("replicated", 0).power_lost();
  }

  // Whoever runs the node: starts it when it has ended, ends it when it says that it must be.
  void supervise() {
    world_.after(milliseconds(10), [this] { supervise(); });
    if (!node_.up()) {
      if (plan_.fault == Fault::kPowerTwice && node_.lives() == 1) {
        node_.disk.stop_at(node_.disk.operations() + plan_.index % 37);
      }
      return node_.start();
    }
    if (node_.broken()) {
      if (!broken_) on_broken();
      broken_ = true;
    }
  }

  void on_broken() {
    const bool expected =
        plan_.fault == Fault::kFailedOperation || plan_.fault == Fault::kFailedSync;
    if (!expected && !(plan_.fault == Fault::kFullDisk && !node_.serving())) {
      return wrong(std::string(kNames[static_cast<int>(plan_.fault)]) + " broke the node");
    }
    if (node_.out_of_service() && node_.serving()) probe();
    world_.after(milliseconds(60), [this] {
      if (probe_ && !refused_) wrong("a write to a disk out of service is not refused");
      probe_.reset();
      broken_ = false;
      node_.disk.faults = {};
      node_.crash(plan_.variant);
    });
  }

  // To a directory out of service nothing is written, and it says so.
  void probe() {
    probe_ = std::make_unique<KafkaClient>(world_, facts_.network, "probe");
    const Value value = facts_.new_value();
    facts_.history("kept", 1).sent(value);
    const base::Bytes bytes = make_value_batch({value}, 1'700'000'000'000, 10);
    wire::ProduceRequest request;
    request.acks = 1;
    request.timeout_ms = 1000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "kept";
    topic.partition_data.push_back({.index = 1, .records = wire::Records::of(bytes)});
    probe_->call<wire::ProduceResponse>(request, 9, [this](const wire::ProduceResponse* response) {
      if (response == nullptr) return;
      const auto error = response->responses.at(0).partition_responses.at(0).error_code;
      world_.trace("probe", wire::name(error));
      // One that is not hosted (yet) is refused as well.
      refused_ = error == ErrorCode::kKafkaStorageError ||
                 error == ErrorCode::kUnknownTopicOrPartition ||
                 error == ErrorCode::kNotLeaderOrFollower;
      if (!refused_) wrong("a disk out of service answers " + std::string(wire::name(error)));
    });
  }

  void heal() {
    node_.disk.stop_at(std::nullopt);
    node_.disk.faults = {};
    node_.may_fail_to_start = false;
    facts_.network.heal();
  }

  World& world_;
  const Plan plan_;
  Facts facts_;
  SimRpc rpc_;
  NodeProcess node_;
  Administrator admin_;
  Consumer consumer_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<Producer*> volatile_producers_;
  std::unique_ptr<KafkaClient> probe_;
  bool refused_ = false;
  bool broken_ = false;
  bool happened_ = false;
  int readers_ = 0;
};

struct Outcome {
  std::uint64_t operations = 0;
  std::uint64_t syncs = 0;
};
Outcome run_one(World& world, Plan plan) {
  World one(world.seed());
  auto run = std::make_unique<ScriptRun>(one, plan);
  run->run();
  const Outcome outcome{run->operations(), run->syncs()};
  run.reset();
  world.trace(kNames[static_cast<int>(plan.fault)], plan.index, one.digest());
  if (one.failed()) {
    if (world.verbose()) {  // what it was that failed, told in full
      World again(world.seed());
      again.set_verbose(true);
      std::make_unique<ScriptRun>(again, plan)->run();
    }
    world.fail(one.verdict(), std::string(kNames[static_cast<int>(plan.fault)]) + " at " +
                                  std::to_string(plan.index) + (plan.variant ? "'" : "") + ": " +
                                  one.why());
  }
  return outcome;
}

}  // namespace

void run_node_each_operation(World& world, std::uint64_t stride) {
  const Outcome plain = run_one(world, {});
  struct Sweep {
    Fault fault;
    std::uint64_t end;
    std::uint64_t stride;
  };
  const Sweep sweeps[] = {
      {Fault::kPower, plain.operations, stride},
      {Fault::kPowerTwice, plain.operations, 3 * stride},
      {Fault::kKill, plain.operations, 2 * stride},
      {Fault::kFailedOperation, plain.operations, stride},
      {Fault::kFailedSync, plain.syncs, stride},
      {Fault::kFullDisk, plain.operations, 2 * stride},
      {Fault::kCut, plain.operations, 5 * stride},
  };
  for (const Sweep& sweep : sweeps) {
    for (std::uint64_t i = world.seed() % sweep.stride; i < sweep.end; i += sweep.stride) {
      for (const bool variant : {false, true}) {
        const bool has_variants = sweep.fault == Fault::kFailedOperation ||
                                  sweep.fault == Fault::kFailedSync ||
                                  sweep.fault == Fault::kFullDisk;
        if (world.failed() || (variant && !has_variants)) continue;
        run_one(world, {sweep.fault, i, variant});
      }
    }
  }
}

}  // namespace sim
