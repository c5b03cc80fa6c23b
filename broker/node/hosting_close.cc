// The logs at the end of a process: closed many at a time, since each waits for the medium a few
// times and those waits are shared; the marker of a clean end comes last.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <utility>

#include "broker/node/hosting.h"
#include "broker/node/registrar.h"

namespace broker {

using wire::ErrorCode;

namespace {

constexpr std::size_t kClosersMax = 8;

}  // namespace

void Hosting::stop(std::move_only_function<void()> done) {
  stopping_ = true;
  checkpoint_timer_.cancel();
  retention_timer_.cancel();
  reopen_timer_.cancel();
  removals_.clear();
  for (const auto& store : directories_.all()) store->directory->debt().on_limit({});
  wake_waiters();
  stop_cleaners([this, done = std::move(done)]() mutable {
    moves_.stop([this, done = std::move(done)]() mutable { close_logs(std::move(done)); });
  });
}

void Hosting::stop_cleaners(std::move_only_function<void()> done) {
  if (cleaners_.empty()) return done();
  auto left = std::make_shared<std::size_t>(cleaners_.size());
  auto shared = std::make_shared<std::move_only_function<void()>>(std::move(done));
  for (const auto& cleaner : cleaners_) {
    cleaner->stop([left, shared] {
      if (--*left == 0) (*shared)();
    });
  }
}

struct Hosting::Closing {
  std::vector<std::shared_ptr<Partition>> partitions;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::set<const LogDirectory*> unclean;
  std::size_t closers = 0;  // at work yet; home only
  std::move_only_function<void()> done;
};

void Hosting::close_logs(std::move_only_function<void()> done) {
  auto closing = std::make_shared<Closing>();
  closing->partitions = all_partitions();
  closing->done = std::move(done);
  for (const auto& partition : closing->partitions) {
    partition->close(ErrorCode::kNotLeaderOrFollower);
  }
  closing->closers = std::clamp<std::size_t>(closing->partitions.size() / 4, 1, kClosersMax);
  for (std::size_t i = 0, count = closing->closers; i < count; ++i) {
    home_.blocking(
        [this, closing] {
          for (std::size_t at; (at = closing->next++) < closing->partitions.size();) {
            if (close_log(*closing->partitions[at])) continue;
            std::lock_guard lock(closing->mutex);
            closing->unclean.insert(closing->partitions[at]->directory());
          }
        },
        [this, closing] {
          if (--closing->closers == 0) mark_clean(closing);
        });
  }
}

bool Hosting::close_log(Partition& partition) {
  if (auto closed = partition.close_log(); !closed) {
    node_.diag.error("log", "a log could not be closed",
                     {{"partition", partition.name().to_string()}, {"error", closed.error().what}});
    return false;
  }
  const auto end = partition.bounds();
  LogDirectory& directory = *partition.directory();
  directory.note_recovery_point(partition.name(), end.end);
  directory.note_start(partition.name(), end.start);
  directory.note_high_watermark(partition.name(), end.visible);
  return true;
}

void Hosting::mark_clean(const std::shared_ptr<Closing>& closing) {
  home_.blocking(
      [this, closing] {
        for (const auto& store : directories_.all()) {
          LogDirectory& directory = *store->directory;
          if (directory.failed() || closing->unclean.contains(&directory)) continue;
          if (moves_.is_unclean(directory)) continue;
          if (auto closed = directory.close_clean(node_.registrar->epoch()); !closed) {
            node_.diag.error("log", "the clean-shutdown marker could not be written",
                             {{"directory", directory.path()}, {"error", closed.error().what}});
          }
        }
      },
      [closing] { closing->done(); });
}

}  // namespace broker
