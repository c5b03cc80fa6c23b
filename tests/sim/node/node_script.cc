// A short life of one node, the same every time, in which one thing goes wrong: at every disk
// operation in turn. Topics are made, producers write to partitions of every durability, records
// are deleted and expire, a consumer ends and comes back, the node ends and comes back. However it
// goes, everybody gets done, and what was promised is there after yet another loss of power.
#include <memory>
#include <string>
#include <vector>

#include "common/wire/msg/produce_request.h"
#include "tests/sim/node/scripted_life.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using wire::ErrorCode;

const std::vector<TopicSpec> kTopics = {
    {.name = "kept", .partitions = 2, .configs = {{"segment.ms", "60"}}},
    {.name = "short",
     .partitions = 1,
     .configs = {{"segment.ms", "30"}, {"retention.bytes", "500"}, {"file.delete.delay.ms", "20"}}},
    {.name = "interval", .partitions = 1, .configs = {{"moldau.durability", "interval"}}},
    {.name = "replicated", .partitions = 1, .configs = {{"moldau.durability", "replicated"}}},
};
bool survives_power(const TopicSpec& spec) { return !spec.configs.contains("moldau.durability"); }

class ScriptRun : public ScriptedLife {
 public:
  ScriptRun(World& world, OneFault fault) : ScriptedLife(world, fault, kTopics) {
    facts_.history("short", 0).may_expire();
    node_.on_crash = [this](bool power) {
      if (power) power_lost();
    };
  }

  void run() {
    if (!begin() || !produce(5)) return;
    if (!delete_some() || !restart_consumer() || !restart_node() || !produce(3)) return;
    heal();
    const auto kept = read_everything(false);
    const auto once = read_everything(true);
    const auto twice = read_everything(true);
    if (!world_.failed() && (kept != once || once != twice)) wrong("two recoveries differ");
  }

  std::uint64_t operations() const { return node_.disk.operations(); }
  std::uint64_t syncs() const { return node_.disk.syncs(); }

 private:
  // ---- the script

  void producer_made(const TopicSpec& spec, Producer& producer) override {
    if (!survives_power(spec)) volatile_producers_.push_back(&producer);
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

  void all_was_read() override {
    const auto found = consumer_.found();
    until("nobody finds what was committed", [&] {
      consumer_.find_committed_if_idle();
      return consumer_.found() > found;
    });
  }

  // ---- what goes wrong

  void on_fault() override {
    if (fault_.kind == Fault::kFullDisk) {
      fill_disk(fault_.variant ? 50 : 0);
      node_.may_fail_to_start = true;
    }
    if (fault_.kind == Fault::kCut) {
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

  void broke() override {
    if (node_.out_of_service() && node_.serving()) probe();
  }
  void ends_broken() override {
    if (probe_ && !refused_) wrong("a write to a disk out of service is not refused");
    probe_.reset();
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

  std::vector<Producer*> volatile_producers_;
  std::unique_ptr<KafkaClient> probe_;
  bool refused_ = false;
};

}  // namespace

void run_node_each_operation(World& world, std::uint64_t stride) {
  std::uint64_t operations = 0, syncs = 0;
  const Life life = [&](World& one, OneFault fault) {
    auto run = std::make_unique<ScriptRun>(one, fault);
    run->run();
    if (fault.kind != Fault::kNone) return;
    operations = run->operations();
    syncs = run->syncs();
  };
  live_through(world, {}, life);
  const Sweep sweeps[] = {
      {.kind = Fault::kPower, .end = operations, .stride = stride},
      {.kind = Fault::kPowerTwice, .end = operations, .stride = 3 * stride},
      {.kind = Fault::kKill, .end = operations, .stride = 2 * stride},
      {.kind = Fault::kFailedOperation, .end = operations, .stride = stride, .variants = true},
      {.kind = Fault::kFailedSync, .end = syncs, .stride = stride, .variants = true},
      {.kind = Fault::kFullDisk, .end = operations, .stride = 2 * stride, .variants = true},
      {.kind = Fault::kCut, .end = operations, .stride = 5 * stride},
  };
  live_through_all(world, sweeps, life);
}

}  // namespace sim
