// Bits that flip on the disk of a broker while it is down, in what its recovery reads: one broker
// at a time, when all replicas are in sync, so that the others have everything.
#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "common/record/batch_view.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/fresh_readers.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/tail_reader.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/cluster/writer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "kept";
constexpr std::int32_t kPartitions = 2;
constexpr int kRounds = 6;

class RotRun {
 public:
  explicit RotRun(World& world)
      : world_(world),
        random_(world.random("rot")),
        cluster_(world, {.brokers = 3}),
        admin_(cluster_, [this] { return cluster_.brokers.front()->host(); }),
        fresh_(cluster_) {
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      add_writer({.topic = kTopic, .partition = i});
      add_writer({.topic = kTopic, .partition = i, .idempotent = false});
      readers_.push_back(std::make_unique<TailReader>(cluster_.facts, "reader" + std::to_string(i),
                                                      cluster_.broker_hosts(), kTopic, i));
    }
  }

  void run() {
    cluster_.start();
    const bool made = admin_.create(
        {.name = kTopic, .partitions = kPartitions, .configs = {{"segment.ms", "1500"}}});
    if (!made) return;
    for (auto& each : writers_) each->start();
    for (auto& each : readers_) each->start();
    for (int round = 0; round < kRounds && !world_.failed(); ++round) {
      world_.run_for(milliseconds(random_.between(200, 6000)));
      if (!settles(seconds(60))) return no_progress("not all replicas are in sync");
      rot_one();
    }
    if (world_.failed()) return;
    for (auto& each : writers_) each->finish();
    const auto done = [&] {
      return std::ranges::all_of(writers_, [](const auto& each) { return each->done(); });
    };
    if (!world_.run_until(done, seconds(60))) return no_progress("a producer cannot finish");
    if (!settles(seconds(60))) return no_progress("in the end not all replicas are in sync");
    cluster_.check_replicas_equal(kTopic);
    for (std::int32_t i = 0; i < kPartitions && !world_.failed(); ++i) {
      fresh_.read(kTopic, i, "fresh reader" + std::to_string(i));
    }
  }

 private:
  void add_writer(Writer::Options options) {
    writers_.push_back(std::make_unique<Writer>(cluster_.facts,
                                                "writer" + std::to_string(writers_.size()),
                                                cluster_.broker_hosts(), std::move(options)));
  }
  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }
  bool settles(base::Duration within) {
    return world_.run_until(
        [&] { return cluster_.everybody_serves() && cluster_.fully_replicated(kTopic); }, within);
  }

  // A power failure, a bit, and the power again. What is damaged above the recovery point is cut
  // off and comes from the leader. Below it the partition stays closed, until a person takes its
  // directory away.
  void rot_one() {
    BrokerMachine& broker = *cluster_.brokers[random_.below(cluster_.brokers.size())];
    broker.crash(true);
    const auto file = active_segment(broker);
    const auto flipped = file ? flip(broker.disk, *file) : std::nullopt;
    const bool may_stay_closed = flipped && *flipped < recovery_point(broker.disk, *file);
    broker.start();
    if (settles(seconds(20))) return;
    if (!may_stay_closed) return no_progress("a replica does not heal");
    world_.trace("taken away", *file);
    broker.crash(true);
    const std::string directory = file->substr(0, file->rfind('/'));
    if (!broker.disk.remove_all(directory)) return cluster_.facts.wrong("no " + directory);
    broker.start();
  }

  // Of the partition that this segment is of, as the checkpoint has it: lines of topic, partition
  // and offset.
  static std::int64_t recovery_point(SimDisk& disk, const std::string& segment) {
    const std::string partition = segment.substr(0, segment.rfind('/'));
    const std::string root = partition.substr(0, partition.rfind('/'));
    std::istringstream lines(
        disk.read_file(root + "/recovery-point-offset-checkpoint").value_or(""));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string topic, index;
      std::int64_t offset = 0;
      if (words >> topic >> index >> offset && partition.ends_with("/" + topic + "-" + index)) {
        return offset;
      }
    }
    return 0;
  }

  // Of any replica: recovery believes closed segments, and reads this one from the beginning.
  std::optional<std::string> active_segment(const BrokerMachine& broker) {
    const std::string part =
        std::string("/") + kTopic + "-" + std::to_string(random_.below(kPartitions)) + "/";
    std::optional<std::string> newest;
    for (const std::string& each : broker.disk.files()) {
      const bool counts = each.find(part) != std::string::npos && each.ends_with(".log");
      if (counts && (!newest || *newest < each)) newest = each;
    }
    return newest;
  }

  // In a batch, half of the time one of the last three; but not in its offset and its leader epoch,
  // which no checksum of Kafka's format covers.
  // Returns the first offset of that batch.
  std::optional<std::int64_t> flip(SimDisk& disk, const std::string& path) {
    const auto text = disk.read_file(path);
    if (!text) return std::nullopt;
    const base::BytesView bytes = base::as_bytes(*text);
    std::vector<record::BatchView> batches;
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < bytes.size(); at += batches.back().total_size()) {
      const auto batch = record::BatchView::parse(bytes.subspan(at));
      if (!batch) break;
      batches.push_back(*batch);
      places.push_back(at);
    }
    if (batches.empty()) return std::nullopt;
    const bool late = random_.chance(1, 2);
    const std::size_t which =
        batches.size() - 1 -
        random_.below(late ? std::min<std::size_t>(3, batches.size()) : batches.size());
    constexpr std::size_t kCovered = 16;  // from the magic byte on
    const std::size_t at =
        places[which] + kCovered + random_.below(batches[which].total_size() - kCovered);
    world_.trace("rot", path + " at " + std::to_string(at));
    disk.flip_bit(path, at, static_cast<int>(random_.below(8)));
    return batches[which].base_offset().value();
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  InsistentAdmin admin_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::unique_ptr<TailReader>> readers_;
  FreshReaders fresh_;
};

}  // namespace

void run_rot(World& world) {
  auto run = std::make_unique<RotRun>(world);
  run->run();
}

}  // namespace sim
