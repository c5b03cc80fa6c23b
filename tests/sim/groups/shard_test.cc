// The coordinator's node part over the real log on a disk that crashes, fills up and is slow.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/group/record_codec.h"
#include "broker/log/flusher.h"
#include "broker/log/log_directory.h"
#include "broker/node/coordinator_shard.h"
#include "broker/node/hosting.h"
#include "broker/node/metadata_follower.h"
#include "broker/node/partition.h"
#include "common/record/builder.h"
#include "common/record/control.h"
#include "tests/sim/disk/sim_disk.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"

namespace sim {
namespace {

using namespace std::chrono_literals;
using broker::CoordinatorShard;
using broker::GroupAnswer;
using broker::GroupRequest;
using broker::group::CommitOffsets;
using broker::group::FetchedOffsets;
using broker::group::FetchOffsets;
using broker::group::OffsetsCommitted;
using wire::ErrorCode;

// One machine with one partition of __consumer_offsets. boot() starts the process, crash() ends it.
class Machine {
 public:
  Machine() : world_(7), clock_(world_), disk_(7), config_(config::BrokerConfig::defaults()) {
    boot();
  }

  ~Machine() {
    shard_->stop();
    world_.run_for(60s);  // what is under way comes home
    executor_->kill();
  }

  void boot() {
    executor_ = std::make_unique<SimExecutor>(world_, "life " + std::to_string(++lives_));
    node_.emplace(config_, disk_, clock_, diag_);
    controller_ = rpc_.connect("machine", "nobody", *executor_);
    metadata_ = std::make_unique<broker::MetadataFollower>(*executor_, *controller_, diag_,
                                                           world_.random("metadata"));
    node_->metadata = metadata_.get();
    base::Random random = world_.random("directory");
    directory_ = std::move(*broker::LogDirectory::open(disk_, "/data", "cluster", base::BrokerId(1),
                                                       random, diag_, {}));
    flusher_ = std::make_unique<broker::Flusher>(disk_, "/data", directory_->health(), *executor_);
    auto topic = std::make_shared<config::TopicConfig>();
    topic->compacts = true;
    topic->deletes = false;
    const broker::PartitionName name{std::string(broker::kOffsetsTopic), 0};
    const auto log_config = broker::log_config(*topic);
    std::unique_ptr<broker::Log> log;
    if (lives_ == 1) {
      log = std::move(*directory_->create_partition(name, {1, 1}, log_config, clock_.wall_ms()));
    } else {
      log = std::move(directory_->open_partition(name, log_config, clock_.wall_ms())->log);
    }
    partition_ =
        std::make_shared<broker::Partition>(broker::Partition::Identity{name.topic, {1, 1}, 0},
                                            std::move(log), topic, base::LeaderEpoch(0), *flusher_);
    shard_ = std::make_shared<CoordinatorShard>(*node_, *executor_, partition_,
                                                base::LeaderEpoch(0), world_.random("shard"));
    shard_->start();
  }

  void crash() {
    world_.run_for(100ms);  // the flusher's worker comes home; nothing more is written
    executor_->kill();
    disk_.crash();
    shard_.reset();
    partition_.reset();
    flusher_.reset();
    directory_.reset();
    node_.reset();
    metadata_.reset();
    controller_.reset();
    executor_.reset();
  }

  // The answer, when one comes within `patience`.
  std::optional<GroupAnswer> ask(GroupRequest request, base::Duration patience = 1s) {
    auto answer = std::make_shared<std::optional<GroupAnswer>>();
    shard_->ask({.version = 8, .client_id = "c", .client_host = "/h", .back = executor_.get()},
                std::move(request),
                [answer](GroupAnswer given) { answer->emplace(std::move(given)); });
    world_.run_until([answer] { return answer->has_value(); }, patience);
    return std::move(*answer);
  }

  ErrorCode commit(std::int64_t offset, base::Duration patience = 1s) {
    CommitOffsets request{.group_id = "g"};
    request.partitions.push_back({.at = {"t", 0}, .offset = offset});
    const auto answer = ask(request, patience);
    if (!answer) return ErrorCode::kRequestTimedOut;
    if (!*answer) return answer->error();
    return std::get<OffsetsCommitted>(**answer).partitions.at(0).error;
  }

  // -1: none; -2: no answer or an error.
  std::int64_t fetch(std::int32_t partition = 0) {
    FetchOffsets request{.group_id = "g"};
    request.partitions.push_back({.at = {"t", partition}});
    const auto answer = ask(request);
    if (!answer || !*answer) return -2;
    const auto& fetched = std::get<FetchedOffsets>(**answer);
    return fetched.error == ErrorCode::kNone ? fetched.partitions.at(0).offset : -2;
  }

  World world_;
  SimClock clock_;
  SimRpc rpc_{world_};
  SimDisk disk_;
  base::SilentDiag diag_;
  config::BrokerConfig config_;
  int lives_ = 0;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<io::RpcClient> controller_;
  std::unique_ptr<broker::MetadataFollower> metadata_;  // of a cluster without topics
  std::optional<broker::Node> node_;
  std::unique_ptr<broker::LogDirectory> directory_;
  std::unique_ptr<broker::Flusher> flusher_;
  std::shared_ptr<broker::Partition> partition_;
  std::shared_ptr<CoordinatorShard> shard_;
};

// Goal: nothing is answered as if it were empty while the log is being read, and heartbeats are
// let off. Method: ask before the executor has turned.
TEST(CoordinatorShard, SaysThatItLoads) {
  Machine machine;
  EXPECT_EQ(machine.commit(1), ErrorCode::kCoordinatorLoadInProgress);
  Machine second;
  const auto beat = second.ask(wire::HeartbeatRequest{.group_id = "g", .member_id = "m"});
  ASSERT_TRUE(beat && *beat);
  EXPECT_EQ(std::get<wire::HeartbeatResponse>(**beat).error_code, ErrorCode::kNone);
}

// Goal: an acknowledged commit survives a power failure, whatever else is lost. Method: crash right
// after the answer, many times.
TEST(CoordinatorShard, AcknowledgedCommitsSurviveCrashes) {
  Machine machine;
  machine.world_.run_for(1s);
  for (std::int64_t offset = 1; offset <= 20; ++offset) {
    ASSERT_EQ(machine.commit(offset), ErrorCode::kNone);
    machine.crash();
    machine.boot();
    machine.world_.run_for(1s);
    ASSERT_EQ(machine.fetch(), offset);
  }
}

// Goal: a full disk refuses commits, lets offsets be read, and needs no restart when there is room
// again.
TEST(CoordinatorShard, FullDiskStopsOnlyWrites) {
  Machine machine;
  machine.world_.run_for(1s);
  ASSERT_EQ(machine.commit(1), ErrorCode::kNone);
  machine.disk_.faults.capacity_bytes = 1;
  EXPECT_EQ(machine.commit(2), ErrorCode::kNotCoordinator);
  machine.world_.run_for(200ms);  // loads again
  EXPECT_EQ(machine.fetch(), 1);
  EXPECT_EQ(machine.commit(3), ErrorCode::kNotCoordinator);
  EXPECT_EQ(machine.fetch(), 1);  // the second refusal cost no reload
  machine.disk_.faults.capacity_bytes.reset();
  machine.world_.run_for(2s);
  EXPECT_EQ(machine.commit(4), ErrorCode::kNone);
  EXPECT_EQ(machine.fetch(), 4);
}

// Goal: a commit that does not become durable in time is answered, and the shard goes on.
TEST(CoordinatorShard, SlowCommitsAreGivenUp) {
  Machine machine;
  machine.world_.run_for(1s);
  machine.executor_->blocking_min = 30s;
  machine.executor_->blocking_max = 31s;
  EXPECT_EQ(machine.commit(1, 4'900ms), ErrorCode::kRequestTimedOut);  // no answer yet
  machine.world_.run_for(200ms);
  machine.executor_->blocking_min = 1ms;
  machine.executor_->blocking_max = 2ms;
  EXPECT_EQ(machine.commit(2, 10s), ErrorCode::kCoordinatorNotAvailable);
  machine.world_.run_for(40s);
  EXPECT_EQ(machine.fetch(), 2);  // it became durable all the same
  EXPECT_EQ(machine.commit(3), ErrorCode::kNone);
}

// Goal: when the partition goes, whoever waits is told, and so is everybody after.
TEST(CoordinatorShard, EndOfLeadershipAnswersEverybody) {
  Machine machine;
  machine.world_.run_for(1s);
  auto joined = std::make_shared<std::optional<GroupAnswer>>();
  wire::JoinGroupRequest join{.group_id = "g",
                              .session_timeout_ms = 10'000,
                              .protocol_type = "consumer",
                              .protocols = {{.name = "range", .metadata = {}}}};
  machine.shard_->ask({.version = 3, .back = machine.executor_.get()}, join,
                      [joined](GroupAnswer answer) { joined->emplace(std::move(answer)); });
  machine.world_.run_for(100ms);
  ASSERT_FALSE(joined->has_value());
  machine.shard_->stop();
  machine.world_.run_for(100ms);
  ASSERT_TRUE(joined->has_value() && **joined);
  EXPECT_EQ(std::get<wire::JoinGroupResponse>(***joined).error_code, ErrorCode::kNotCoordinator);
  EXPECT_EQ(machine.commit(1), ErrorCode::kNotCoordinator);
}

// Goal: offsets that Kafka committed within transactions count when the transaction committed, and
// compressed batches are read. Method: write such batches before the shard loads.
TEST(CoordinatorShard, LoadsTransactionalAndCompressedBatches) {
  Machine machine;
  machine.world_.run_for(1s);
  auto append = [&](base::Bytes bytes) {
    broker::BatchAppend batch;
    batch.batch = bytes;
    machine.partition_->append(batch, machine.clock_.wall_ms(), broker::AppendOrigin::kReplication);
    ASSERT_EQ(batch.error, ErrorCode::kNone) << batch.message;
  };
  auto offsets = [&](std::int32_t partition, std::int64_t producer, record::Codec codec) {
    record::BatchOptions options{.codec = codec};
    if (producer >= 0) {
      options.transactional = true;
      options.producer_id = base::ProducerId(producer);
      options.producer_epoch = base::ProducerEpoch(0);
      options.base_sequence = 0;
    }
    record::BatchBuilder batch(options);
    const auto record =
        broker::group::encode_offset("g", {"t", partition}, {.offset = 10 + partition});
    batch.add(1'000, base::BytesView(record.key), base::BytesView(*record.value));
    return batch.build();
  };
  append(offsets(0, -1, record::Codec::kZstd));
  append(offsets(1, 5, record::Codec::kNone));
  append(offsets(2, 6, record::Codec::kNone));
  append(offsets(3, 7, record::Codec::kNone));
  append(record::build_end_txn_marker({.commit = true}, base::ProducerId(5), base::ProducerEpoch(0),
                                      1'000));
  append(record::build_end_txn_marker({.commit = false}, base::ProducerId(6),
                                      base::ProducerEpoch(0), 1'000));
  machine.shard_ =
      std::make_shared<CoordinatorShard>(*machine.node_, *machine.executor_, machine.partition_,
                                         base::LeaderEpoch(0), machine.world_.random("second"));
  machine.shard_->start();
  machine.world_.run_for(1s);
  EXPECT_EQ(machine.fetch(0), 10);
  EXPECT_EQ(machine.fetch(1), 11);
  EXPECT_EQ(machine.fetch(2), -1);  // aborted
  EXPECT_EQ(machine.fetch(3), -1);  // never ended
}

}  // namespace
}  // namespace sim
