#include "common/host/blocking_pool.h"

namespace host {

BlockingPool::BlockingPool(Options options) : options_(options) {}

BlockingPool::~BlockingPool() { stop(); }

void BlockingPool::run(io::Executor::Work work) {
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    full = queue_.size() >= options_.queued_max;
    if (!full) {
      queue_.push_back(std::move(work));
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
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      ++idle_;
      wake_.wait(lock);
      --idle_;
      continue;
    }
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // its captures go before the lock is taken
    lock.lock();
  }
}

}  // namespace host
