#include "broker/log/flusher.h"

#include <deque>

#include "broker/log/test_log.h"

namespace broker {
namespace {

// Runs work when the test says so: posts in order, blocking work one piece at a time.
class StepExecutor final : public io::Executor {
 public:
  void post(Work work) override { posted.push_back(std::move(work)); }
  void blocking(Work work, Work done) override {
    workers.push_back([this, work = std::move(work), done = std::move(done)]() mutable {
      work();
      post(std::move(done));
    });
  }
  base::Instant now() const override { return now_; }
  base::TimerWheel& timers() override { return timers_; }
  bool here() const override { return true; }

  bool run_posted() {
    if (posted.empty()) return false;
    Work work = std::move(posted.front());
    posted.pop_front();
    work();
    return true;
  }
  bool run_worker() {
    if (workers.empty()) return false;
    Work work = std::move(workers.front());
    workers.pop_front();
    work();
    return true;
  }
  void run_all() {
    while (run_posted() || run_worker()) {
    }
  }
  void pass(base::Duration time) {
    run_all();
    now_ += time;
    timers_.advance(now_);
    run_all();
  }

  std::deque<Work> posted;
  std::deque<Work> workers;

 private:
  base::Instant now_{};
  base::TimerWheel timers_;
};

class Partition final : public Flushable {
 public:
  explicit Partition(Log& log) : log_(log) {}
  FlushBatch take_unflushed(const Flusher&) override {
    if (on_take) on_take();
    return log_.take_unflushed();
  }
  void flushed(const FlushBatch& batch, const io::IoResult<void>& result) override {
    ++rounds;
    last = result;
    if (result) log_.mark_flushed(batch);
  }
  std::function<void()> on_take;
  int rounds = 0;
  io::IoResult<void> last;

 private:
  Log& log_;
};

class FlusherTest : public LogTest {
 protected:
  void SetUp() override {
    open();
    partition = std::make_shared<Partition>(*log);
    make_flusher({});
  }
  void TearDown() override {
    bool stopped = false;
    flusher->stop([&] { stopped = true; });
    executor.run_all();
    EXPECT_TRUE(stopped);
  }
  void make_flusher(FlusherOptions options) {
    flusher = std::make_unique<Flusher>(disk, directory, health, executor, options);
  }

  StepExecutor executor;
  std::shared_ptr<Partition> partition;
  std::unique_ptr<Flusher> flusher;
};

// Goal: requests made while a sync runs are one sync more. Method: a request from within
// take_unflushed, where the first round is under way, and several more.
TEST_F(FlusherTest, RequestsDuringARoundShareTheNext) {
  append({{}});
  partition->on_take = [&] {
    partition->on_take = nullptr;
    append({{}});
    for (int i = 0; i < 5; ++i) flusher->request_sync(partition);
  };
  flusher->request_sync(partition);
  flusher->request_sync(partition);
  EXPECT_EQ(partition->rounds, 0);
  executor.run_all();
  EXPECT_EQ(partition->rounds, 2);
  EXPECT_EQ(log->durable_end(), base::Offset(2));
  EXPECT_EQ(flusher->stats().rounds.load(), 2u);
  // After it went idle it starts again.
  append({{}});
  flusher->request_sync(partition);
  executor.run_all();
  EXPECT_EQ(log->durable_end(), base::Offset(3));
}

// Goal: upkeep comes after the answer, not before. Method: look at the log between the two workers.
TEST_F(FlusherTest, UpkeepComesAfterTheAnswer) {
  append({{}});
  flusher->request_sync(partition);
  ASSERT_TRUE(executor.run_worker());
  EXPECT_EQ(partition->rounds, 1);
  EXPECT_EQ(text("leader-epoch-checkpoint"), "missing");
  executor.run_all();
  EXPECT_EQ(text("leader-epoch-checkpoint"), "0\n1\n0 0\n");
  EXPECT_EQ(flusher->stats().upkeeps.load(), 1u);
}

// Goal: a failed sync is never success: the directory is out of service, this and every later
// request is told. Method: fail one sync.
TEST_F(FlusherTest, AFailedSyncIsFinal) {
  append({{}});
  disk.faults.fail_sync = disk.syncs();
  flusher->request_sync(partition);
  executor.run_all();
  EXPECT_EQ(partition->last.error().code, EIO);
  EXPECT_TRUE(health.failed());
  EXPECT_EQ(log->durable_end(), base::Offset(0));
  disk.faults.fail_sync.reset();
  flusher->request_sync(partition);
  executor.run_all();
  EXPECT_EQ(partition->rounds, 2);
  EXPECT_EQ(partition->last.error().code, EIO);
  EXPECT_EQ(log->durable_end(), base::Offset(0));
  EXPECT_EQ(try_append({}).error().code, EIO);
}

// What a round takes from it is given; so is how often it was told what.
class GivenBatch final : public Flushable {
 public:
  explicit GivenBatch(FlushBatch batch) : batch_(std::move(batch)) {}
  FlushBatch take_unflushed(const Flusher&) override { return batch_; }
  void flushed(const FlushBatch&, const io::IoResult<void>& result) override {
    told.push_back(result);
  }
  std::vector<io::IoResult<void>> told;

 private:
  const FlushBatch batch_;
};

// Goal: of the files that a round syncs each counts for its own partition: one whose file failed is
// told so, those before it are durable, those behind it are not called so. Method: three
// partitions of one, three and two files, the second with a new name; each sync of them fails once.
TEST_F(FlusherTest, AFailedFileIsThatOfItsPartition) {
  constexpr std::size_t kFiles[] = {1, 3, 2};
  constexpr std::size_t kOwner[] = {0, 1, 1, 1, 1, 2, 2};  // of each sync; the fifth: of the name
  for (std::size_t failing = 0; failing < std::size(kOwner); ++failing) {
    LogHealth fresh;
    Flusher of_three(disk, directory, fresh, executor);
    std::vector<std::shared_ptr<GivenBatch>> partitions;
    for (const std::size_t count : kFiles) {
      FlushBatch batch{.directory = directory, .sync_directory = count == 3};
      for (std::size_t i = 0; i < count; ++i) {
        const std::string path =
            directory + "/" + std::to_string(partitions.size()) + "." + std::to_string(i);
        batch.data.push_back({.file = *disk.open(path, io::OpenMode::kCreate)});
      }
      partitions.push_back(std::make_shared<GivenBatch>(std::move(batch)));
    }
    disk.faults.fail_sync = disk.syncs() + failing;
    for (const auto& each : partitions) of_three.request_sync(each);
    executor.run_all();
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      ASSERT_EQ(partitions[i]->told.size(), 1u);
      EXPECT_EQ(partitions[i]->told[0].has_value(), i < kOwner[failing])
          << "partition " << i << ", sync " << failing;
    }
    EXPECT_TRUE(fresh.failed());
    of_three.stop([] {});
    executor.run_all();
  }
}

// Goal: many dirty files are one sync of the file system. Method: a bound of two.
TEST_F(FlusherTest, ManyFilesAreOneSync) {
  make_flusher({.whole_filesystem_from = 2});
  append({{}});
  flusher->request_sync(partition);
  executor.run_all();
  EXPECT_EQ(log->durable_end(), base::Offset(1));
  EXPECT_EQ(flusher->stats().whole_filesystem_rounds.load(), 1u);
}

// Goal: scheduled syncs come within the interval, or after so many bytes. Method: pass time; then
// exceed the bytes.
TEST_F(FlusherTest, ScheduledSyncsComeInTime) {
  append({{}});
  flusher->schedule(partition, 100);
  flusher->schedule(partition, 100);
  executor.pass(std::chrono::milliseconds(50));
  EXPECT_EQ(partition->rounds, 0);
  executor.pass(std::chrono::milliseconds(60));
  EXPECT_EQ(partition->rounds, 1);
  EXPECT_EQ(log->durable_end(), base::Offset(1));
  append({{}});
  flusher->schedule(partition, 300 << 10);
  executor.run_all();
  EXPECT_EQ(partition->rounds, 2);
}

}  // namespace
}  // namespace broker
