// Threads for what blocks: fsync, cold reads, deletes. Shared by the reactors of a process. They
// start when first needed and stay. A full queue runs the work on the caller's thread: the reactor
// slows down instead of memory growing. Costs of a hop: docs/decisions/0003-reactor.md.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/io/executor.h"

namespace host {

class BlockingPool {
 public:
  struct Options {
    std::size_t threads_max = 4;
    std::size_t queued_max = 4096;
    // A thread stays on the CPU that last gave it work, as long as that work is short: waking a
    // thread on one's own CPU takes a few microseconds, on an idle other one tens.
    bool follow_caller = true;
  };
  BlockingPool() : BlockingPool(Options{}) {}
  explicit BlockingPool(Options options);
  ~BlockingPool();  // stop()

  // Runs `work` on one of the threads. Any thread.
  void run(io::Executor::Work work);
  // Finishes what runs, drops what only waits, joins. run() afterwards drops its work.
  void stop();
  std::size_t thread_count() const;

 private:
  struct Item {
    io::Executor::Work work;
    int cpu;  // where it was given
  };
  class Place;
  void serve();

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace host
