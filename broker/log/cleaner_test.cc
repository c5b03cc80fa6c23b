#include "broker/log/cleaner.h"

#include <gtest/gtest.h>

#include <deque>

#include "broker/log/batch_scanner.h"
#include "common/record/builder.h"
#include "tests/sim/disk/sim_disk.h"

namespace broker {
namespace {

// One thread that does everything in order; time stands still until the test moves it.
class TurnExecutor final : public io::Executor {
 public:
  void post(Work work) override { queue_.push_back(std::move(work)); }
  void blocking(Work work, Work done) override {
    queue_.push_back(std::move(work));
    queue_.push_back(std::move(done));
  }
  base::Instant now() const override { return now_; }
  base::TimerWheel& timers() override { return timers_; }
  bool here() const override { return true; }

  void run() {
    while (!queue_.empty()) {
      Work work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
  }
  void advance(base::Duration by) {
    for (const base::Instant end = now_ + by; now_ < end;) {
      now_ += std::min<base::Duration>(std::chrono::milliseconds(100), end - now_);
      timers_.advance(now_);
      run();
    }
  }

 private:
  std::deque<Work> queue_;
  base::TimerWheel timers_;
  base::Instant now_{};
};

struct StillClock final : io::Clock {
  base::Instant now() const override { return {}; }
  base::WallMs wall_ms() const override { return 1'000'000; }
};

class TestLog final : public CleanableLog {
 public:
  TestLog(PartitionName name, std::unique_ptr<Log> log)
      : log(std::move(log)), name_(std::move(name)) {}
  PartitionName name() const override { return name_; }
  Policy policy() override { return {.compacts = compacts}; }
  base::Offset stable_end() override { return log->durable_end(); }
  void with_log(const std::function<void(Log&)>& use) override { use(*log); }

  std::unique_ptr<Log> log;
  bool compacts = true;

 private:
  const PartitionName name_;
};

class CleanerTest : public ::testing::Test {
 protected:
  CleanerTest() {
    base::Random random(1);
    auto opened = LogDirectory::open(disk, "data", "cluster", base::BrokerId(1), random, diag, {});
    EXPECT_TRUE(opened);
    directory = std::move(*opened);
  }

  // A log of `batches` one-record batches over three keys, flushed, in segments of a few batches.
  std::shared_ptr<TestLog> make_log(const std::string& topic, int batches) {
    LogConfig config;
    config.segment_bytes = 600;
    config.compacted = true;
    const PartitionName name{topic, 0};
    auto made = directory->create_partition(name, {1, 2}, config, 0);
    EXPECT_TRUE(made);
    auto log = std::make_shared<TestLog>(name, std::move(*made));
    for (int i = 0; i < batches; ++i) {
      record::BatchBuilder builder;
      const std::string key = "key-" + std::to_string(i % 3);
      builder.add(1000 + i, base::as_bytes(key), base::as_bytes(std::string(50, 'v')));
      base::Bytes batch = builder.build();
      const base::MutableBytes one(batch);
      EXPECT_TRUE(log->log->append({&one, 1}, base::LeaderEpoch(0), 0));
    }
    const FlushBatch flush = log->log->take_unflushed();
    EXPECT_TRUE(flush.sync(disk));
    log->log->mark_flushed(flush);
    if (flush.upkeep) EXPECT_TRUE(flush.upkeep->run(disk));
    logs.push_back(log);
    return log;
  }
  void start(Cleaner::Options options = {}) {
    cleaner = std::make_unique<Cleaner>(
        *directory, disk, clock, diag, executor, base::Random(1),
        [this] { return std::vector<std::shared_ptr<CleanableLog>>(logs.begin(), logs.end()); },
        options);
    cleaner->start();
  }
  std::string checkpoint() {
    return disk.read_file("data/cleaner-offset-checkpoint").value_or("missing");
  }

  sim::SimDisk disk{1};
  base::SilentDiag diag;
  StillClock clock;
  TurnExecutor executor;
  std::unique_ptr<LogDirectory> directory;
  std::vector<std::shared_ptr<TestLog>> logs;
  std::unique_ptr<Cleaner> cleaner;
};

// Goal: compacted topics are compacted after the backoff, others never, and how far is written in
// Kafka's format. Method: one log of each kind; sizes, checkpoint and counts after one backoff.
TEST_F(CleanerTest, CompactsWhatIsDirty) {
  const auto yes = make_log("yes", 40);
  const auto no = make_log("no", 40);
  no->compacts = false;
  const std::uint64_t before = no->log->size_bytes();
  ASSERT_EQ(yes->log->size_bytes(), before);
  start();
  executor.advance(std::chrono::seconds(14));
  EXPECT_EQ(yes->log->size_bytes(), before);
  executor.advance(std::chrono::seconds(2));
  EXPECT_LT(yes->log->size_bytes(), before / 2);
  EXPECT_EQ(no->log->size_bytes(), before);
  const auto view = yes->log->compaction_view(false);
  ASSERT_TRUE(view);
  EXPECT_EQ(checkpoint(), "0\n1\nyes 0 " + std::to_string(view->facts.back().end.value()) + "\n");
  EXPECT_EQ(cleaner->stats().rounds, 1u);
  EXPECT_EQ(cleaner->stats().running, 0u);
  // Nothing is dirty now: nothing happens.
  executor.advance(std::chrono::seconds(60));
  EXPECT_EQ(cleaner->stats().rounds, 1u);
  EXPECT_EQ(cleaner->stats().dirty_ratio_max, 0.0);
}

// Goal: a log that cannot be compacted is named, tried again ever more rarely, and holds up no
// other; once it can be, it is forgotten. Method: damage a byte of one of two logs; then take it
// away.
TEST_F(CleanerTest, DamageHoldsUpNobody) {
  const auto bad = make_log("bad", 60);  // the dirtier one comes first
  const auto good = make_log("good", 40);
  disk.flip_bit("data/bad-0/00000000000000000000.log", 100, 3);
  disk.kill_process();  // what is cached goes
  const std::uint64_t before = good->log->size_bytes();
  // What is below the recovery point nobody looks at.
  for (const auto& log : logs) {
    (void)log->log->take_unflushed();
    directory->note_recovery_point(log->name(), log->log->recovery_point());
  }
  ASSERT_TRUE(directory->write_recovery_points());
  for (const auto& log : logs) log->log.reset();
  logs.clear();
  directory.reset();
  base::Random random(1);
  auto opened = LogDirectory::open(disk, "data", "cluster", base::BrokerId(1), random, diag, {});
  ASSERT_TRUE(opened) << opened.error().what;
  directory = std::move(*opened);
  LogConfig config;
  config.compacted = true;
  config.segment_bytes = 600;
  for (const char* topic : {"bad", "good"}) {
    auto log = directory->open_partition({topic, 0}, config, 0);
    ASSERT_TRUE(log) << log.error().what;
    logs.push_back(std::make_shared<TestLog>(PartitionName{topic, 0}, std::move(log->log)));
  }
  ASSERT_EQ(logs[0]->log->end_offset(), base::Offset(60));
  start();
  executor.advance(std::chrono::seconds(16));
  EXPECT_LT(logs[1]->log->size_bytes(), before / 2);
  auto stats = cleaner->stats();
  ASSERT_EQ(stats.uncleanable.size(), 1u);
  EXPECT_EQ(stats.uncleanable[0].name.topic, "bad");
  EXPECT_NE(stats.uncleanable[0].why.find("damaged"), std::string::npos);
  EXPECT_FALSE(directory->failed());
  executor.advance(std::chrono::minutes(60));
  stats = cleaner->stats();
  EXPECT_GT(stats.failures, 4u);
  EXPECT_LT(stats.failures, 16u);
  logs.erase(logs.begin());
  executor.advance(std::chrono::minutes(10));
  EXPECT_TRUE(cleaner->stats().uncleanable.empty());
}

// Goal: the throttle bounds bytes per second. Method: a bound of 1 kB/s over some 8 kB.
TEST_F(CleanerTest, IsThrottled) {
  const auto log = make_log("slow", 60);
  start({.io_bytes_per_second = 1000, .step_bytes = 500});
  executor.advance(std::chrono::seconds(18));
  EXPECT_EQ(cleaner->stats().rounds, 0u);
  EXPECT_EQ(cleaner->stats().running, 1u);
  executor.advance(std::chrono::seconds(60));
  EXPECT_EQ(cleaner->stats().rounds, 1u);
}

// Goal: stopping ends a round where it is and leaves nothing behind. Method: stop while one pauses.
TEST_F(CleanerTest, StopsOnTheWay) {
  const auto log = make_log("slow", 60);
  const std::uint64_t before = log->log->size_bytes();
  start({.io_bytes_per_second = 1000, .step_bytes = 500});
  executor.advance(std::chrono::seconds(16));
  ASSERT_EQ(cleaner->stats().running, 1u);
  bool stopped = false;
  cleaner->stop([&] { stopped = true; });
  executor.run();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(log->log->size_bytes(), before);
  for (const std::string& name : disk.files()) {
    EXPECT_FALSE(name.ends_with(".cleaned") || name.ends_with(".swap")) << name;
  }
}

// Goal: readers that hold the old segments go on while they are replaced. Method: a search by time
// is prepared before a round and run after it.
TEST_F(CleanerTest, ReadersKeepWhatTheyHold) {
  const auto log = make_log("read", 40);
  const auto lookup = log->log->prepare_lookup(1000, log->log->end_offset());
  const auto slice = log->log->read(
      {.from = base::Offset(0), .upper_bound = log->log->end_offset(), .bytes_max = 10'000});
  ASSERT_TRUE(slice);
  start();
  executor.advance(std::chrono::seconds(16));
  ASSERT_EQ(cleaner->stats().rounds, 1u);
  const auto found = lookup.run();
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->offset, base::Offset(0));
  base::Bytes bytes(slice->bytes.length);
  ASSERT_EQ(slice->bytes.file->read_at(bytes, slice->bytes.position), bytes.size());
  EXPECT_TRUE(record::BatchView::parse(bytes)->crc_ok());
}

}  // namespace
}  // namespace broker
