#include "broker/log/flusher.h"

#include <algorithm>
#include <cerrno>

#include "common/base/check.h"

namespace broker {

Flusher::Flusher(io::Disk& disk, std::string path, LogHealth& health, io::Executor& home,
                 Options options)
    : disk_(disk),
      path_(std::move(path)),
      health_(health),
      home_(home),
      options_(options),
      timer_([this] { on_interval(); }) {}

Flusher::~Flusher() {
  std::lock_guard lock(mutex_);
  CHECK(workers_ == 0);
}

void Flusher::request_sync(std::shared_ptr<Flushable> partition) {
  bool start = false;
  {
    std::lock_guard lock(mutex_);
    if (is_over_locked() || !waiting_set_.insert(partition.get()).second) return;
    scheduled_.erase(partition.get());
    waiting_.push_back(std::move(partition));
    start = start_worker_locked();
  }
  if (start) wake();
}

bool Flusher::start_worker_locked() {
  if (std::exchange(rounds_running_, true)) return false;
  ++workers_;
  return true;
}

void Flusher::schedule(std::shared_ptr<Flushable> partition, std::uint64_t appended_bytes) {
  bool arm = false;
  {
    std::lock_guard lock(mutex_);
    if (is_over_locked() || waiting_set_.contains(partition.get())) return;
    Scheduled& scheduled = scheduled_[partition.get()];
    scheduled.bytes += appended_bytes;
    if (!scheduled.partition) scheduled.partition = partition;
    if (!stopped_ && scheduled.bytes < options_.interval_bytes) {
      arm = !std::exchange(timer_wanted_, true);
      if (!arm) return;
    }
  }
  if (!arm) return request_sync(std::move(partition));
  home_.post([this] { arm_timer(); });
}

void Flusher::arm_timer() {
  std::lock_guard lock(mutex_);
  if (!stopped_) home_.timers().set(timer_, home_.now() + options_.interval);
}

void Flusher::on_interval() {
  bool start = false;
  {
    std::lock_guard lock(mutex_);
    timer_wanted_ = false;
    for (auto& [key, scheduled] : scheduled_) {
      waiting_set_.insert(key);
      waiting_.push_back(std::move(scheduled.partition));
    }
    scheduled_.clear();
    if (!waiting_.empty()) start = start_worker_locked();
  }
  if (start) wake();
}

void Flusher::wake() {
  home_.blocking([this] { run_rounds(); }, [this] { worker_ended(); });
}

// Rounds follow each other on the worker: no hop to the home thread in between.
void Flusher::run_rounds() {
  while (true) {
    Partitions partitions;
    {
      std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        rounds_running_ = false;
        return;
      }
      partitions.swap(waiting_);
      waiting_set_.clear();
    }
    run_round(partitions);
  }
}

void Flusher::refuse(const std::shared_ptr<Flushable>& partition) {
  const auto reason = health_.reason();
  CHECK(reason.has_value());
  partition->flushed({}, std::unexpected(*reason));
}

void Flusher::run_round(const Partitions& partitions) {
  stats_.rounds.fetch_add(1, std::memory_order_relaxed);
  stats_.partitions.fetch_add(partitions.size(), std::memory_order_relaxed);
  if (health_.failed()) {
    for (const auto& partition : partitions) refuse(partition);
    return;
  }
  std::vector<FlushBatch> batches;
  batches.reserve(partitions.size());
  for (const auto& partition : partitions) batches.push_back(partition->take_unflushed(*this));
  std::vector<io::IoResult<void>> results(partitions.size());
  const auto began = options_.clock != nullptr ? options_.clock->now() : base::Instant{};
  sync_round(batches, results);
  if (options_.clock != nullptr) {
    const auto took = options_.clock->now() - began;
    stats_.sync_ns.record(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
  }
  bool start_upkeep = false;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    partitions[i]->flushed(batches[i], results[i]);
    if (!results[i] || !batches[i].upkeep) continue;
    std::lock_guard lock(mutex_);
    upkeeps_.push_back(std::move(batches[i].upkeep));
    if (std::exchange(upkeep_running_, true)) continue;
    ++workers_;
    start_upkeep = true;
  }
  if (start_upkeep) {
    home_.blocking([this] { run_upkeep(); }, [this] { worker_ended(); });
  }
}

void Flusher::sync_round(std::vector<FlushBatch>& batches,
                         std::vector<io::IoResult<void>>& results) {
  std::size_t files = 0;
  for (const FlushBatch& batch : batches) {
    files += batch.data.size() + (batch.sync_directory ? 1 : 0);
  }
  const auto note = [&](const io::IoResult<void>& result) {
    // A partition that was deleted meanwhile says nothing about the medium.
    if (result || result.error().code == ENOENT) return;
    stats_.failures.fetch_add(1, std::memory_order_relaxed);
    health_.fail(result.error());
  };
  if (files >= options_.whole_filesystem_from) {
    stats_.whole_filesystem_rounds.fetch_add(1, std::memory_order_relaxed);
    const auto synced = disk_.sync_filesystem(path_);
    note(synced);
    for (auto& result : results) result = synced;
    return;
  }
  for (std::size_t i = 0; i < batches.size(); ++i) {
    // After a failure nothing more is called durable.
    results[i] = health_.failed() ? io::IoResult<void>(std::unexpected(*health_.reason()))
                                  : batches[i].sync(disk_);
    note(results[i]);
  }
}

void Flusher::run_upkeep() {
  while (true) {
    std::vector<std::shared_ptr<Upkeep>> upkeeps;
    {
      std::lock_guard lock(mutex_);
      if (upkeeps_.empty()) {
        upkeep_running_ = false;
        return;
      }
      upkeeps.swap(upkeeps_);
    }
    for (const auto& upkeep : upkeeps) {
      if (health_.failed()) continue;
      stats_.upkeeps.fetch_add(1, std::memory_order_relaxed);
      if (auto ran = upkeep->run(disk_); !ran) {
        stats_.failures.fetch_add(1, std::memory_order_relaxed);
        health_.fail(ran.error());
      }
    }
  }
}

// Home thread, once for each worker.
void Flusher::worker_ended() {
  std::move_only_function<void()> done;
  {
    std::lock_guard lock(mutex_);
    --workers_;
    if (workers_ == 0 && stopped_) done = std::exchange(on_stopped_, nullptr);
  }
  if (done) done();
}

void Flusher::abandon() {
  // A partition may have moved on, and must not outlive the directory that it is in now.
  Partitions waiting;
  std::unordered_map<Flushable*, Scheduled> scheduled;
  std::lock_guard lock(mutex_);
  waiting.swap(waiting_);
  waiting_set_.clear();
  scheduled.swap(scheduled_);
  stopped_ = true;
  workers_ = 0;
}

void Flusher::stop(std::move_only_function<void()> done) {
  timer_.cancel();
  on_interval();
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (workers_ > 0) {
      on_stopped_ = std::move(done);
      return;
    }
  }
  home_.post(std::move(done));
}

}  // namespace broker
