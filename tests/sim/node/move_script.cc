// A short life of one node with two log directories, in which partitions go from one to the other
// and back while producers write to them and a consumer reads: the same every time, but that one
// thing goes wrong, at every disk operation in turn. What was acknowledged is there once, in one
// directory, whichever step was under way; and everybody gets done.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/log/log_directories.h"
#include "common/wire/msg/alter_replica_log_dirs_request.h"
#include "common/wire/msg/alter_replica_log_dirs_response.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"
#include "tests/sim/node/consumer.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/producer.h"
#include "tests/sim/node/topics.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> kDirectories = {"/data/one", "/data/two"};
constexpr std::int32_t kPartitions = 2;
constexpr std::uint64_t kMoves = 5;
const std::vector<TopicSpec> kTopics = {
    {.name = "kept", .partitions = kPartitions, .configs = {{"segment.ms", "60"}}}};

enum class Fault { kNone, kPower, kPowerTwice, kKill, kFailedOperation, kFailedSync, kFullDisk };
constexpr const char* kNames[] = {"nothing",          "power",       "power, twice", "kill",
                                  "failed operation", "failed sync", "full disk"};

struct Plan {
  Fault fault = Fault::kNone;
  std::uint64_t index = 0;  // of the disk operation, or of the sync
};

// Has each partition of the topic go to the directory where it is not, again and again.
class Mover {
 public:
  explicit Mover(Facts& facts) : facts_(facts), client_(facts.world, facts.network, "mover") {}

  void start() { step(); }
  void finish() { finishing_ = true; }
  bool idle() const { return finishing_ && client_.idle(); }
  std::uint64_t moves() const { return moves_; }

 private:
  void step() {
    if (finishing_) return;
    facts_.world.after(milliseconds(7), [this] { step(); });
    if (!client_.idle()) return;
    wire::DescribeLogDirsRequest request;
    request.topics.reset();
    client_.call<wire::DescribeLogDirsResponse>(request, 1, [this](const auto* response) {
      if (response != nullptr) look(*response);
    });
  }

  void look(const wire::DescribeLogDirsResponse& response) {
    wire::AlterReplicaLogDirsRequest request;
    std::map<std::int32_t, int> seen;
    for (const auto& result : response.results) {
      const bool first = result.log_dir == kDirectories[0];
      for (const auto& topic : result.topics) {
        if (topic.name != "kept") continue;
        for (const auto& partition : topic.partitions) {
          if (++seen[partition.partition_index] > 1 || partition.is_future_key) continue;
          auto& where = where_[partition.partition_index];
          if (!where.empty() && where != result.log_dir) ++moves_;
          where = result.log_dir;
          auto& dir = request.dirs.emplace_back();
          dir.path = kDirectories[first ? 1 : 0];
          dir.topics.push_back({.name = "kept", .partitions = {partition.partition_index}});
        }
      }
    }
    if (request.dirs.empty()) return;
    client_.call<wire::AlterReplicaLogDirsResponse>(request, 2, [](const auto*) {});
  }

  Facts& facts_;
  KafkaClient client_;
  std::map<std::int32_t, std::string> where_;
  std::uint64_t moves_ = 0;
  bool finishing_ = false;
};

class MoveRun {
 public:
  MoveRun(World& world, Plan plan)
      : world_(world),
        plan_(plan),
        facts_(world),
        rpc_(world),
        node_(world, facts_.network, rpc_),
        admin_(facts_, "admin", kTopics),
        consumer_(facts_, "consumer", {.topic = "kept", .partitions = kPartitions, .group = "g1"}),
        mover_(facts_) {
    rpc_.faults.delay_min = rpc_.faults.delay_max = {};
    node_.log_dirs = kDirectories;
  }

  void run() {
    arm();
    node_.start();
    supervise();
    admin_.create_all();
    if (!until("the topic is not made", [&] { return admin_.created(); })) return;
    consumer_.start();
    if (!produce(4) || !delete_some()) return;
    began_ = node_.disk.operations();
    syncs_began_ = node_.disk.syncs();
    mover_.start();
    if (!produce(12)) return;
    if (!until("partitions do not move", [&] { return mover_.moves() >= kMoves; })) return;
    mover_.finish();
    if (!until("the mover does not end", [&] { return mover_.idle(); })) return;
    ended_ = node_.disk.operations();
    syncs_ended_ = node_.disk.syncs();
    heal();
    const auto once = read_everything(true);
    const auto twice = read_everything(true);
    if (!world_.failed() && once != twice) wrong("two recoveries differ");
  }

  std::uint64_t began() const { return began_; }
  std::uint64_t ended() const { return ended_; }
  std::uint64_t syncs_began() const { return syncs_began_; }
  std::uint64_t syncs_ended() const { return syncs_ended_; }

 private:
  bool until(const std::string& otherwise, const std::function<bool()>& done) {
    const bool good = world_.run_until(done, seconds(20));
    if (!good && !world_.failed()) world_.fail(Verdict::kNoProgress, otherwise);
    return good && !world_.failed();
  }
  void wrong(const std::string& why) { world_.fail(Verdict::kIncorrect, why); }

  bool produce(std::uint64_t batches) {
    std::vector<Producer*> now;
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      producers_.push_back(std::make_unique<Producer>(
          facts_, "producer" + std::to_string(producers_.size()),
          Producer::Options{.topic = "kept", .partition = i, .batches_max = batches}));
      now.push_back(producers_.back().get());
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

  // Everything as a fresh client finds it after another crash, and that nothing is there twice.
  std::vector<TopicContents> read_everything(bool power) {
    if (world_.failed()) return {};
    node_.crash(power);
    node_.start();
    std::vector<TopicContents> all;
    KafkaClient client(world_, facts_.network, "reader" + std::to_string(++readers_));
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      PartitionHistory& history = facts_.history("kept", i);
      const auto asked = history.bounds();
      Reader reader(facts_, client, "kept", i);
      reader.start();
      if (!until("nobody can read", [&] { return reader.done(); })) return {};
      const TopicContents& found = reader.contents();
      history.start_is(found.start, asked, "final read");
      history.high_watermark_is(found.high_watermark, asked, "final read");
      history.check_contents(found.records, found.start, found.high_watermark);
      all.push_back(found);
      if (!until("the consumer does not see everything",
                 [&] { return consumer_.position(i) >= found.high_watermark; })) {
        return {};
      }
    }
    for (std::int32_t i = 0; i < kPartitions; ++i) check_in_one(i);
    return all;
  }

  // A move that was under way goes on after the start.
  void check_in_one(std::int32_t partition) {
    const std::string name = "kept-" + std::to_string(partition);
    until(name + " is in two directories", [&] {
      int places = 0;
      for (const std::string& directory : kDirectories) {
        const auto entries = node_.disk.list(directory);
        if (!entries) return false;
        places += static_cast<int>(std::ranges::count_if(*entries, [&](const auto& entry) {
          const bool deleted = entry.name.ends_with("-delete");
          return entry.is_directory && entry.name.starts_with(name) && !deleted;
        }));
      }
      return places == 1;
    });
  }

  void arm() {
    auto& disk = node_.disk;
    switch (plan_.fault) {
      case Fault::kNone:
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
      case Fault::kFullDisk:
        disk.on_operation = [this](std::string_view, const std::string&) { before_operation(); };
        return;
    }
  }

  // Both directories have no space for a while.
  void before_operation() {
    if (filled_ || node_.disk.operations() < plan_.index) return;
    filled_ = true;
    const auto space = node_.disk.space("/");
    node_.disk.faults.capacity_bytes =
        space->total_bytes - space->free_bytes + (plan_.index % 3) * 2000;
    world_.after(milliseconds(200), [this] { node_.disk.faults.capacity_bytes.reset(); });
  }

  // Whoever runs the node: starts it when it has ended, ends it when one of its disks has failed.
  void supervise() {
    world_.after(milliseconds(10), [this] { supervise(); });
    if (!node_.up()) {
      if (plan_.fault == Fault::kPowerTwice && node_.lives() == 1) {
        node_.disk.stop_at(node_.disk.operations() + plan_.index % 37);
      }
      return node_.start();
    }
    if (!node_.broken() || std::exchange(broken_, true)) return;
    if (plan_.fault != Fault::kFailedOperation && plan_.fault != Fault::kFailedSync) {
      std::string why = std::string(kNames[static_cast<int>(plan_.fault)]) + " broke the node";
      if (!node_.out_of_service()) return wrong(why);
      for (const auto& store : node_.broker()->directories().all()) {
        if (store->failed()) why += ": " + store->directory->failure()->what;
      }
      return wrong(why);
    }
    world_.after(milliseconds(60), [this] {
      broken_ = false;
      node_.disk.faults = {};
      node_.crash(plan_.index % 2 == 0);
    });
  }

  void heal() {
    node_.disk.stop_at(std::nullopt);
    node_.disk.faults = {};
    node_.may_fail_to_start = false;
  }

  World& world_;
  const Plan plan_;
  Facts facts_;
  SimRpc rpc_;
  NodeProcess node_;
  Administrator admin_;
  Consumer consumer_;
  Mover mover_;
  std::vector<std::unique_ptr<Producer>> producers_;
  bool broken_ = false;
  bool filled_ = false;
  int readers_ = 0;
  std::uint64_t began_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t syncs_began_ = 0;
  std::uint64_t syncs_ended_ = 0;
};

}  // namespace

void run_node_moves(World& world, std::uint64_t stride) {
  World plain(world.seed());
  auto run = std::make_unique<MoveRun>(plain, Plan{});
  run->run();
  const std::uint64_t from = run->began(), end = run->ended();
  const std::uint64_t syncs = run->syncs_began(), syncs_end = run->syncs_ended();
  run.reset();
  if (plain.failed()) return world.fail(plain.verdict(), "nothing wrong: " + plain.why());
  struct Sweep {
    Fault fault;
    std::uint64_t from, end, stride;
  };
  const Sweep sweeps[] = {
      {Fault::kPower, from, end, stride},
      {Fault::kPowerTwice, from, end, 3 * stride},
      {Fault::kKill, from, end, 2 * stride},
      {Fault::kFailedOperation, from, end, 2 * stride},
      {Fault::kFailedSync, syncs, syncs_end, stride},
      {Fault::kFullDisk, from, end, 2 * stride},
  };
  for (const Sweep& sweep : sweeps) {
    for (std::uint64_t i = sweep.from + world.seed() % sweep.stride; i < sweep.end;
         i += sweep.stride) {
      if (world.failed()) return;
      World one(world.seed());
      one.set_verbose(false);
      std::make_unique<MoveRun>(one, Plan{sweep.fault, i})->run();
      const std::string what =
          std::string(kNames[static_cast<int>(sweep.fault)]) + " at " + std::to_string(i);
      world.trace(kNames[static_cast<int>(sweep.fault)], i, one.digest());
      if (!one.failed()) continue;
      if (world.verbose()) {
        World again(world.seed());
        again.set_verbose(true);
        std::make_unique<MoveRun>(again, Plan{sweep.fault, i})->run();
      }
      world.fail(one.verdict(), what + ": " + one.why());
    }
  }
}

}  // namespace sim
