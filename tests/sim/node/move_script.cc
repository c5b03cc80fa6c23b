// A short life of one node with two log directories, in which partitions go from one to the other
// and back while producers write to them and a consumer reads: the same every time, but that one
// thing goes wrong, at every disk operation in turn. What was acknowledged is there once, in one
// directory, whichever step was under way; and everybody gets done.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/msg/alter_replica_log_dirs_request.h"
#include "common/wire/msg/alter_replica_log_dirs_response.h"
#include "common/wire/msg/describe_log_dirs_request.h"
#include "common/wire/msg/describe_log_dirs_response.h"
#include "tests/sim/node/scripted_life.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;

const std::vector<std::string> kDirectories = {"/data/one", "/data/two"};
constexpr std::int32_t kPartitions = 2;
constexpr std::uint64_t kMoves = 5;
const std::vector<TopicSpec> kTopics = {
    {.name = "kept", .partitions = kPartitions, .configs = {{"segment.ms", "60"}}}};

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

class MoveRun : public ScriptedLife {
 public:
  MoveRun(World& world, OneFault fault) : ScriptedLife(world, fault, kTopics), mover_(facts_) {
    node_.log_dirs = kDirectories;
  }

  void run() {
    if (!begin() || !produce(4) || !delete_some()) return;
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
  bool was_read(std::int32_t partition, const TopicContents& contents) override {
    return until("the consumer does not see everything",
                 [&] { return consumer_.position(partition) >= contents.high_watermark; });
  }

  void all_was_read() override {
    for (std::int32_t i = 0; i < kPartitions; ++i) check_in_one(i);
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

  // No directory has space for a while.
  void on_fault() override {
    if (fault_.kind == Fault::kFullDisk) fill_disk((fault_.index % 3) * 2000);
  }

  Mover mover_;
  std::uint64_t began_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t syncs_began_ = 0;
  std::uint64_t syncs_ended_ = 0;
};

}  // namespace

void run_node_moves(World& world, std::uint64_t stride) {
  World plain(world.seed());
  auto run = std::make_unique<MoveRun>(plain, OneFault{});
  run->run();
  const std::uint64_t begin = run->began(), end = run->ended();
  const std::uint64_t syncs = run->syncs_began(), syncs_end = run->syncs_ended();
  run.reset();
  if (plain.failed()) return world.fail(plain.verdict(), "nothing wrong: " + plain.why());
  const Sweep sweeps[] = {
      {.kind = Fault::kPower, .begin = begin, .end = end, .stride = stride},
      {.kind = Fault::kPowerTwice, .begin = begin, .end = end, .stride = 3 * stride},
      {.kind = Fault::kKill, .begin = begin, .end = end, .stride = 2 * stride},
      {.kind = Fault::kFailedOperation, .begin = begin, .end = end, .stride = 2 * stride},
      {.kind = Fault::kFailedSync, .begin = syncs, .end = syncs_end, .stride = stride},
      {.kind = Fault::kFullDisk, .begin = begin, .end = end, .stride = 2 * stride},
  };
  live_through_all(world, sweeps, [](World& one, OneFault fault) {
    fault.variant = fault.index % 2 == 0;  // whether power is lost when a disk has failed
    std::make_unique<MoveRun>(one, fault)->run();
  });
}

}  // namespace sim
