#include "common/host/blocking_pool.h"

#include <sched.h>
#include <time.h>

#include <chrono>

namespace host {
namespace {

// Work that computes for longer than this (compaction, recovery) must not share the caller's CPU.
constexpr std::chrono::nanoseconds kShortWork = std::chrono::milliseconds(2);

std::chrono::nanoseconds thread_cpu_time() {
  timespec at{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
}

}  // namespace

// Where a thread of the pool may run. Changed after work, off its critical path: it counts for the
// next wake.
class BlockingPool::Place {
 public:
  Place() { sched_getaffinity(0, sizeof anywhere_, &anywhere_); }

  void follow(int cpu) {
    const auto used = thread_cpu_time();
    const bool was_long = used - used_ > kShortWork;
    used_ = used;
    const int wanted = was_long ? -1 : cpu;
    if (wanted == cpu_) return;
    cpu_ = wanted;
    if (wanted < 0) {
      sched_setaffinity(0, sizeof anywhere_, &anywhere_);
      return;
    }
    cpu_set_t there;
    CPU_ZERO(&there);
    CPU_SET(static_cast<std::size_t>(wanted), &there);
    sched_setaffinity(0, sizeof there, &there);  // a refusal costs only speed
  }

 private:
  cpu_set_t anywhere_;
  int cpu_ = -1;
  std::chrono::nanoseconds used_ = thread_cpu_time();
};

BlockingPool::BlockingPool(Options options) : options_(options) {}

BlockingPool::~BlockingPool() { stop(); }

void BlockingPool::run(io::Executor::Work work) {
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    full = queue_.size() >= options_.queued_max;
    if (!full) {
      queue_.push_back({std::move(work), sched_getcpu()});
      if (queue_.size() > idle_ && threads_.size() < options_.threads_max) {
        threads_.emplace_back([this] { serve(); });
        return;
      }
    }
  }
  if (full) {
    work();  // the caller waits instead
  } else {
    wake_.notify_one();
  }
}

void BlockingPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

std::size_t BlockingPool::thread_count() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void BlockingPool::serve() {
  Place place;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      ++idle_;
      wake_.wait(lock);
      --idle_;
      continue;
    }
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    item.work();
    item.work = nullptr;  // its captures go before the lock is taken
    if (options_.follow_caller) place.follow(item.cpu);
    lock.lock();
  }
}

}  // namespace host
