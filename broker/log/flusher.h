// Group commit over one log directory. A request starts a sync at once when none runs; requests
// that come while one runs wait, and the next sync covers them all. A few dirty partitions are
// synced file by file, many by one sync of the file system. A failed sync takes the directory out
// of service (LogHealth), fails everybody who waits, and is never retried.
//
// Thread-safe; may be called with a partition's lock held, and calls partitions without its own.
// Blocking work runs through the home executor's blocking(); docs/decisions/0006-flush.md has the
// figures behind the constants.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/log/flush_batch.h"
#include "broker/log/log_health.h"
#include "common/base/histogram.h"
#include "common/base/time.h"
#include "common/base/timer_wheel.h"
#include "common/io/clock.h"
#include "common/io/executor.h"

namespace broker {

class Flusher;

// What can be flushed: a partition, which puts its own lock around its log. Both calls come on a
// worker thread of blocking(), never while the flusher's own lock is held.
class Flushable {
 public:
  virtual ~Flushable() = default;
  // Log::take_unflushed() under the partition's lock. Every append before the request is
  // in it, unless the partition is of another directory than `by` by now.
  virtual FlushBatch take_unflushed(const Flusher& by) = 0;
  // Once for every take_unflushed(). On success: Log::mark_flushed() under the lock, then wake who
  // waits (post to their executors). On failure nothing of the batch may be called durable. Also
  // called, with an empty batch, for a request that came after a failure.
  virtual void flushed(const FlushBatch& batch, const io::IoResult<void>& result) = 0;
};

struct FlusherOptions {
  // From this many dirty files on, one sync_filesystem() replaces syncing file by file.
  std::size_t whole_filesystem_from = 40;
  // Bounds of schedule(): moldau.durability=interval.
  base::Duration interval = std::chrono::milliseconds(100);
  std::uint64_t interval_bytes = 256 << 10;
  const io::Clock* clock = nullptr;  // measures rounds; without one nothing does
};

// Counters since start; read with relaxed loads by metrics.
struct FlusherStats {
  std::atomic<std::uint64_t> rounds{0};
  std::atomic<std::uint64_t> partitions{0};
  std::atomic<std::uint64_t> whole_filesystem_rounds{0};
  std::atomic<std::uint64_t> upkeeps{0};
  std::atomic<std::uint64_t> failures{0};
  base::Histogram sync_ns;  // what the syncs of a round took; rounds follow each other
};

class Flusher {
 public:
  using Options = FlusherOptions;
  using Stats = FlusherStats;
  // `path` lies on the directory's file system. `home` must outlive the flusher. After the first
  // request, stop() must have called back before the flusher is destroyed.
  Flusher(io::Disk& disk, std::string path, LogHealth& health, io::Executor& home,
          Options options = {});
  ~Flusher();

  // Asks for everything appended so far to be made durable. Requests of the same partition that
  // are still waiting for their round are one.
  void request_sync(std::shared_ptr<Flushable> partition);
  // Asks for the same within Options::interval, or sooner once interval_bytes have been appended
  // since. `appended_bytes` is what this call's append added.
  void schedule(std::shared_ptr<Flushable> partition, std::uint64_t appended_bytes);
  const Stats& stats() const { return stats_; }
  // Home thread. Serves what was requested or scheduled; `done` runs on the home executor when the
  // last round and its upkeep have ended. From then on requests are dropped: nobody may wait any
  // more.
  void stop(std::move_only_function<void()> done);
  // The executor was killed (simulated kill -9): what was under way never ends.
  void abandon();

 private:
  using Partitions = std::vector<std::shared_ptr<Flushable>>;
  struct Scheduled {
    std::shared_ptr<Flushable> partition;
    std::uint64_t bytes = 0;
  };
  void wake();        // any thread, without the lock
  void run_rounds();  // worker thread
  void run_round(const Partitions& partitions);
  void sync_round(std::vector<FlushBatch>& batches, std::vector<io::IoResult<void>>& results);
  void run_upkeep();  // worker thread
  bool start_worker_locked();
  bool is_over_locked() const { return stopped_ && workers_ == 0; }
  void refuse(const std::shared_ptr<Flushable>& partition);
  void arm_timer();     // home thread
  void on_interval();   // home thread
  void worker_ended();  // home thread

  io::Disk& disk_;
  const std::string path_;
  LogHealth& health_;
  io::Executor& home_;
  const Options options_;
  Stats stats_;

  std::mutex mutex_;
  Partitions waiting_;
  std::unordered_set<Flushable*> waiting_set_;
  std::unordered_map<Flushable*, Scheduled> scheduled_;
  std::vector<std::shared_ptr<Upkeep>> upkeeps_;
  bool rounds_running_ = false;
  bool upkeep_running_ = false;
  bool timer_wanted_ = false;
  bool stopped_ = false;
  std::size_t workers_ = 0;  // calls of blocking() whose second half has not run
  std::move_only_function<void()> on_stopped_;
  base::Timer timer_;  // home thread
};

}  // namespace broker
