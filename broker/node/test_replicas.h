// A partition with three replicas for tests: real logs on disks that crash, a controller of a few
// lines whose news travels late, and fetches by hand. No network.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/log/log_directories.h"
#include "broker/node/hosting.h"
#include "broker/node/partition.h"
#include "broker/node/replica_copy.h"
#include "common/record/builder.h"
#include "common/record/record_view.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"

namespace broker::test {

using namespace std::chrono_literals;

inline base::Bytes one_record(const std::string& value) {
  record::BatchBuilder builder({});
  builder.add(1000, std::nullopt, base::as_bytes(value));
  return builder.build();
}

// Values of the records in `bytes`, by offset.
inline void collect(base::BytesView bytes, std::map<std::int64_t, std::string>& out) {
  record::BatchReader batches(bytes);
  while (const auto batch = batches.next()) {
    record::RecordReader records(batch->records(), batch->count());
    record::RecordView record;
    std::int64_t offset = batch->base_offset().value();
    while (records.next(record)) out[offset++] = std::string(base::as_text(*record.value));
  }
}

inline base::Bytes bytes_of(const ReadAnswer& answer) {
  if (!answer.slice) return {};
  base::Bytes bytes(answer.slice->bytes.length);
  const auto got = answer.slice->bytes.file->read_at(bytes, answer.slice->bytes.position);
  bytes.resize(got.value_or(0));
  return bytes;
}

// Keeps what it was told.
class Ear final : public PartitionListener {
 public:
  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override {
    heard[tag] = error;
    if (on_event) on_event(tag, error);
  }
  std::map<std::uint64_t, wire::ErrorCode> heard;
  std::function<void(std::uint64_t, wire::ErrorCode)> on_event;
};

// One broker with its replica. boot() starts the process, crash() is a loss of power.
class Replica {
 public:
  Replica(sim::World& world, int id, std::shared_ptr<config::TopicConfig> config)
      : id(id),
        disk(world.seed() * 8 + static_cast<std::uint64_t>(id)),
        world_(world),
        clock_(world),
        config_(std::move(config)) {
    boot(id);
  }
  ~Replica() {
    if (!partition) return;
    world_.run_for(100ms);
    executor->kill();
    flusher->abandon();
    if (other) other->flusher.abandon();
  }

  void boot(std::int64_t broker_epoch) {
    epoch = base::BrokerEpoch(broker_epoch);
    const std::string life = std::to_string(id) + "/" + std::to_string(++lives_);
    executor = std::make_unique<sim::SimExecutor>(world_, "executor " + life);
    base::Random random = world_.random("directory " + life);
    store = open_store("/data", random);
    directory = store->directory.get();
    flusher = &store->flusher;
    const PartitionName name{"t", 0};
    std::unique_ptr<Log> log;
    if (lives_ == 1) {
      log = std::move(*directory->create_partition(name, {1, 1}, log_config(*config_), 1000));
    } else {
      auto opened = directory->open_partition(name, log_config(*config_), 1000);
      if (!opened) return world_.fail(sim::Verdict::kIncorrect, opened.error().what);
      log = std::move(opened->log);
    }
    partition = std::make_shared<Partition>(
        Partition::Identity{"t", {1, 1}, 0}, std::move(log), config_,
        ReplicaServices{.self = base::BrokerId(id),
                        .flusher = *flusher,
                        .directory = directory,
                        .clock = &clock_,
                        .diag = &diag_,
                        .lag_max = 10s,
                        .isr_change_wanted = [this](const auto&) { wants_isr_change = true; }},
        directory->high_watermark_of(name).value_or(base::Offset(0)));
  }

  // For a partition that moves from `store`.
  void open_other() {
    base::Random random = world_.random("other");
    other = open_store("/other", random);
  }
  ReplicaCopy copy_to_other() {
    return {partition, *store, *other, {disk, clock_, diag_, placement}, world_.random("copy")};
  }

  void crash() {
    world_.run_for(20ms);  // the flusher's worker comes home
    executor->kill();
    flusher->abandon();
    disk.crash();
    partition.reset();
    store.reset();
    executor.reset();
  }

  bool is_up() const { return partition != nullptr; }

  void checkpoint() {
    directory->note_high_watermark({"t", 0}, partition->bounds().visible);
    partition->with_log(
        [&](Log& log) { directory->note_recovery_point({"t", 0}, log.recovery_point()); });
    (void)directory->write_high_watermarks();
    (void)directory->write_recovery_points();
  }

  // Everything in the log, whatever the role.
  std::map<std::int64_t, std::string> content() {
    std::map<std::int64_t, std::string> all;
    partition->with_log([&](Log& log) {
      base::Offset at = log.start_offset();
      while (at < log.end_offset()) {
        auto slice = log.read(
            {.from = at, .upper_bound = log.end_offset(), .bytes_max = 1 << 20, .may_block = true});
        if (!slice || slice->bytes.length == 0) return;
        base::Bytes bytes(slice->bytes.length);
        (void)slice->bytes.file->read_at(bytes, slice->bytes.position);
        collect(bytes, all);
        at = slice->end_bound;
      }
    });
    return all;
  }

  const int id;
  base::BrokerEpoch epoch;
  sim::SimDisk disk;
  std::unique_ptr<sim::SimExecutor> executor;
  std::unique_ptr<LogStore> store;
  LogDirectory* directory = nullptr;  // of `store`, as is the flusher
  Flusher* flusher = nullptr;
  std::unique_ptr<LogStore> other;
  std::mutex placement;
  std::shared_ptr<Partition> partition;
  bool wants_isr_change = false;

 private:
  std::unique_ptr<LogStore> open_store(const char* path, base::Random& random) {
    auto opened = LogDirectory::open(disk, path, "cluster", base::BrokerId(id), random, diag_, {});
    return std::make_unique<LogStore>(std::move(*opened), disk, *executor, FlusherOptions{});
  }

  sim::World& world_;
  sim::SimClock clock_;
  base::SilentDiag diag_;
  std::shared_ptr<config::TopicConfig> config_;
  int lives_ = 0;
};

class Replicas {
 public:
  explicit Replicas(std::uint64_t seed, std::int32_t min_in_sync = 1) : world(seed) {
    config = std::make_shared<config::TopicConfig>();
    config->min_insync_replicas = min_in_sync;
    for (int id = 1; id <= 3; ++id) all.push_back(std::make_unique<Replica>(world, id, config));
    role.set.leader_epoch = base::LeaderEpoch(0);
    for (int id = 1; id <= 3; ++id) role.set.replicas.emplace_back(id);
    role.set.isr = role.set.replicas;
    role.leader = base::BrokerId(1);
    announce();
  }

  Replica& at(int id) { return *all.at(static_cast<std::size_t>(id - 1)); }
  Replica& at(base::BrokerId id) { return at(id.value()); }
  Replica& leader() { return at(role.leader); }

  // Everybody hears of the metadata as it is.
  void announce() {
    for (auto& each : all) tell(*each);
  }
  void tell(Replica& replica) {
    if (!replica.is_up()) return;
    auto live = std::make_shared<LiveBrokers>();
    for (auto& each : all) {
      if (each->is_up()) live->emplace(base::BrokerId(each->id), each->epoch);
    }
    role.live = live;
    replica.partition->set_live(role.live);
    replica.partition->become(role, world.now());
  }
  // The controller: a new leader, or none.
  void elect(int id) {
    role.leader = base::BrokerId(id);
    role.set.leader_epoch = role.set.leader_epoch + 1;
    ++role.set.partition_epoch;
  }
  // The first live member of the ISR leads; who is gone leaves it, unless it is the last.
  void on_gone(int id) {
    if (role.set.isr.size() > 1) std::erase(role.set.isr, base::BrokerId(id));
    if (role.leader != base::BrokerId(id)) {
      ++role.set.partition_epoch;
      return;
    }
    elect_any();
  }
  void elect_any() {
    for (const base::BrokerId each : role.set.replicas) {
      const bool is_in_sync = std::ranges::find(role.set.isr, each) != role.set.isr.end();
      if (is_in_sync && at(each).is_up()) return elect(each.value());
    }
    elect(-1);
  }
  // Carries the wish of `replica` for another ISR to the controller and, unless it is lost, the
  // answer back.
  void change_isr(Replica& replica, bool is_answer_lost = false) {
    replica.wants_isr_change = false;
    const auto asked = replica.partition->take_isr_proposal(world.now());
    if (!asked) return;
    IsrAnswer answer{.kind = IsrAnswer::Kind::kDone};
    if (asked->partition_epoch != role.set.partition_epoch ||
        asked->leader_epoch != role.set.leader_epoch) {
      answer.kind = IsrAnswer::Kind::kOutdated;
    } else if (!std::ranges::all_of(asked->isr, [&](const IsrMember& each) {
                 return at(each.id).is_up() && at(each.id).epoch == each.epoch;
               })) {
      answer.kind = IsrAnswer::Kind::kRefused;
    } else {
      role.set.isr.clear();
      for (const auto& each : asked->isr) role.set.isr.push_back(each.id);
      ++role.set.partition_epoch;
    }
    if (is_answer_lost) answer.kind = IsrAnswer::Kind::kUnknown;
    answer.partition_epoch = role.set.partition_epoch;
    answer.isr = role.set.isr;
    replica.partition->on_isr_answer(*asked, answer);
  }

  // One fetch of a follower from who it takes for the leader. True when anything came of it.
  bool fetch(Replica& follower, std::uint32_t bytes_max = 1 << 20) {
    const FollowState state = follower.partition->follow_state();
    if (!state.following || !at(state.leader).is_up()) return false;
    const auto answer =
        at(state.leader)
            .partition->read({.from = state.fetch_offset,
                              .bytes_max = bytes_max,
                              .at_least_one_batch = true,
                              .may_block = true,
                              .leader_epoch = state.leader_epoch,
                              .last_fetched_epoch = state.last_fetched_epoch,
                              .follower = ReadRequest::Follower{.id = base::BrokerId(follower.id),
                                                                .epoch = follower.epoch,
                                                                .now = world.now(),
                                                                .is_progress = true}});
    const base::Bytes records = bytes_of(answer);
    LeaderAnswer taken{.leader_epoch = state.leader_epoch,
                       .fetch_offset = state.fetch_offset,
                       .records = records,
                       .high_watermark = answer.high_watermark,
                       .log_start = answer.log_start};
    taken.out_of_range = answer.error == wire::ErrorCode::kOffsetOutOfRange;
    if (answer.error != wire::ErrorCode::kNone && !taken.out_of_range) return false;
    if (answer.diverging) {
      taken.diverging = EpochEnd{answer.diverging->leader_epoch, answer.diverging->start};
    }
    last = follower.partition->take_from_leader(taken);
    if (last.kind == Followed::Kind::kNeedsTruncation) {
      follower.partition->repair(taken, *follower.executor,
                                 [this](Followed followed) { last = std::move(followed); });
      world.run_for(10ms);
    }
    if (last.kind == Followed::Kind::kFailed) world.fail(sim::Verdict::kIncorrect, last.why);
    return last.kind == Followed::Kind::kAppended || last.kind == Followed::Kind::kRepaired;
  }
  // What was appended becomes durable on `replica`.
  void flush(Replica& replica) {
    auto ear = std::make_shared<Ear>();
    const auto end = replica.partition->bounds().end;
    if (!replica.partition->await_flushed(end, *replica.executor, ear, 1)) world.run_for(20ms);
  }
  // Until nothing comes any more, and the leader knows of it.
  void catch_up(Replica& follower) {
    for (int i = 0; i < 1000 && !world.failed(); ++i) {
      const bool came = fetch(follower);
      flush(follower);
      if (came) continue;
      fetch(follower);
      return;
    }
    world.fail(sim::Verdict::kNoProgress, "a follower never catches up");
  }

  // Appends at whom this replica takes for itself; the end to wait for, or the error.
  BatchAppend append(Replica& replica, const std::string& value, bool acks_all = true) {
    base::Bytes bytes = one_record(value);
    BatchAppend batch{.batch = bytes, .acks_all = acks_all};
    replica.partition->append(batch, 1000);
    batch.batch = {};
    return batch;
  }

  sim::World world;
  std::shared_ptr<config::TopicConfig> config;
  PartitionRole role;  // the metadata
  std::vector<std::unique_ptr<Replica>> all;
  Followed last;  // of the last fetch()
};

}  // namespace broker::test
