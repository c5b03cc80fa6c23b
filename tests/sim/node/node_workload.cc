#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/node/consumer.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/producer.h"
#include "tests/sim/node/topics.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<TopicSpec> kTopics = {
    {.name = "kept", .partitions = 2, .configs = {{"segment.ms", "400"}}},
    {.name = "short",
     .partitions = 1,
     .configs = {{"segment.ms", "150"},
                 {"retention.bytes", "6000"},
                 {"file.delete.delay.ms", "300"}}},
};

class NodeRun {
 public:
  explicit NodeRun(World& world)
      : world_(world),
        random_(world.random("faults")),
        facts_(world),
        rpc_(world),
        node_(world, facts_.network, rpc_),
        admin_(facts_, "admin", kTopics) {
    facts_.history("short", 0).may_expire();
    rpc_.faults.delay_min = rpc_.faults.delay_max = {};
    for (std::int32_t i = 0; i < 2; ++i) {
      add_producer({.topic = "kept", .partition = i, .idempotent = true});
    }
    add_producer({.topic = "kept", .partition = 0, .idempotent = true, .in_flight_max = 1});
    add_producer({.topic = "kept", .partition = 1, .idempotent = false});
    add_producer({.topic = "short", .partition = 0, .idempotent = true});
    add_consumer({.topic = "kept", .partitions = 2, .group = "g1"});
    add_consumer({.topic = "kept", .partitions = 2, .group = ""});
    add_consumer({.topic = "short", .partitions = 1, .group = "g2"});
  }

  void run() {
    node_.start();
    admin_.create_all();
    if (!world_.run_until([&] { return admin_.created(); }, seconds(20))) {
      return no_progress("the topics are not made");
    }
    for (auto& each : producers_) each->start();
    for (auto& each : consumers_) each->start();
    admin_.start_meddling();
    world_.after(milliseconds(300), [this] { misbehave(); });
    world_.run_for(seconds(6));
    heal_and_check();
  }

 private:
  void add_producer(Producer::Options options) {
    producers_.push_back(std::make_unique<Producer>(
        facts_, "producer" + std::to_string(producers_.size()), std::move(options)));
  }
  void add_consumer(Consumer::Options options) {
    consumers_.push_back(std::make_unique<Consumer>(
        facts_, "consumer" + std::to_string(consumers_.size()), std::move(options)));
  }
  void no_progress(const std::string& why) { world_.fail(Verdict::kNoProgress, why); }

  // ---- faults

  void misbehave() {
    if (!faulty_) return;
    world_.after(milliseconds(random_.between(20, 500)), [this] { misbehave(); });
    if (!node_.up()) return start_again();
    if (node_.broken()) return restart_broken();
    auto& disk = node_.disk;
    switch (random_.below(11)) {
      case 0:
        return node_.crash(true);
      case 1:
        return node_.crash(false);
      case 2:
      case 3:
        // The power goes at one of the next disk operations.
        return disk.stop_at(disk.operations() + random_.below(60));
      case 4:
        node_.may_fail_to_start = true;
        disk.faults.fail_sync = disk.syncs() + random_.below(12);
        return;
      case 5:
        node_.may_fail_to_start = true;
        disk.faults.fail_operation = disk.operations() + random_.below(60);
        return;
      case 6: {
        const auto space = disk.space("/");
        if (!space || disk.faults.capacity_bytes) return;
        disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + random_.below(6000);
        node_.may_fail_to_start = true;
        return;
      }
      case 7:
        // Space is free again: service goes on without a restart.
        disk.faults.capacity_bytes.reset();
        return;
      case 8:
        return node_.stop([] {});
      default: {
        const auto& producer = producers_[random_.below(producers_.size())];
        facts_.network.reset(producer->client().host(), kNodeHost);
        const auto& consumer = consumers_[random_.below(consumers_.size())];
        facts_.network.reset(consumer->client().host(), kNodeHost);
        return;
      }
    }
  }

  void start_again() {
    if (!random_.chance(2, 3)) return;
    // A disk that is full at the start is another story: the process ends with a message.
    node_.disk.faults = {};
    node_.may_fail_to_start = false;
    node_.start();
  }

  // What a failed sync left in the page cache is not on the medium: only a machine that starts
  // anew is sure to see what is.
  void restart_broken() { node_.crash(true); }

  // ---- the end

  void heal_and_check() {
    if (world_.failed()) return;
    faulty_ = false;
    admin_.pause();
    node_.disk.faults.fail_operation.reset();
    node_.disk.faults.fail_sync.reset();
    node_.disk.faults.capacity_bytes.reset();
    node_.disk.stop_at(std::nullopt);
    if (node_.broken()) node_.crash(true);
    node_.may_fail_to_start = false;
    world_.run_for(seconds(1));  // a clean stop that is under way ends
    if (!node_.up()) node_.start();
    if (!everybody_goes_on()) return;
    for (auto& each : producers_) each->finish();
    const bool finished = world_.run_until(
        [&] {
          for (auto& each : producers_) {
            if (!each->done()) return false;
          }
          return true;
        },
        seconds(20));
    if (!finished) return no_progress("a producer cannot finish");
    node_.crash(true);
    const auto once = read_everything();
    node_.crash(true);
    const auto twice = read_everything();
    if (!world_.failed() && once != twice) {
      world_.fail(Verdict::kIncorrect, "two recoveries differ");
    }
  }

  bool everybody_goes_on() {
    std::vector<std::uint64_t> before;
    for (auto& each : producers_) before.push_back(each->acknowledged());
    for (auto& each : consumers_) before.push_back(each->polled());
    for (auto& each : consumers_) before.push_back(each->commits());
    std::string who;
    const bool good = world_.run_until(
        [&] {
          std::size_t i = 0;
          for (auto& each : producers_) {
            who = each->client().host() + " (acknowledgements)";
            if (each->acknowledged() < before[i++] + 10) return false;
          }
          for (auto& each : consumers_) {
            who = each->client().host() + " (polls)";
            if (each->polled() < before[i++] + 10) return false;
          }
          for (auto& each : consumers_) {
            who = each->client().host() + " (commits)";
            const bool commits = &each != &consumers_[1];
            if (each->commits() < before[i++] + (commits ? 2 : 0)) return false;
          }
          return true;
        },
        seconds(30));
    if (!good && !world_.failed()) no_progress("30 s after all healed, no progress: " + who);
    return good;
  }

  std::vector<TopicContents> read_everything() {
    node_.start();
    KafkaClient client(world_, facts_.network, "reader" + std::to_string(++readers_));
    std::vector<TopicContents> all;
    for (const TopicSpec& spec : kTopics) {
      for (std::int32_t i = 0; i < spec.partitions; ++i) {
        PartitionHistory& history = facts_.history(spec.name, i);
        const auto asked = history.bounds();
        Reader reader(facts_, client, spec.name, i);
        reader.start();
        if (!world_.run_until([&] { return reader.done(); }, seconds(20))) {
          if (!world_.failed()) no_progress("nobody can read " + spec.name);
          return all;
        }
        const TopicContents& found = reader.contents();
        history.start_is(found.start, asked, "final read");
        history.high_watermark_is(found.high_watermark, asked, "final read");
        history.check_contents(found.records, found.start, found.high_watermark);
        world_.trace("read", spec.name);
        world_.trace("bounds", static_cast<std::uint64_t>(found.start),
                     static_cast<std::uint64_t>(found.high_watermark));
        // Retention goes on between two recoveries.
        if (spec.name == "kept") all.push_back(found);
      }
    }
    return all;
  }

  World& world_;
  base::Random random_;
  Facts facts_;
  SimRpc rpc_;
  NodeProcess node_;
  Administrator admin_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  bool faulty_ = true;
  int readers_ = 0;
};

}  // namespace

void run_node(World& world) {
  auto run = std::make_unique<NodeRun>(world);
  run->run();
}

}  // namespace sim
