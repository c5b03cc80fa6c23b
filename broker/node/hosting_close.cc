// The logs at the end of a process: closed many at a time, since each waits for the medium a few
// times and those waits are shared; the marker of a clean end comes last.
#include <algorithm>
#include <atomic>
#include <utility>

#include "broker/node/hosting.h"
#include "broker/node/registrar.h"

namespace broker {

using wire::ErrorCode;

namespace {

constexpr std::size_t kClosersMax = 8;

}  // namespace

struct Hosting::Closing {
  std::vector<std::shared_ptr<Partition>> partitions;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> clean = true;
  std::size_t closers = 0;  // at work yet; home only
  std::move_only_function<void()> done;
};

void Hosting::close_logs(std::move_only_function<void()> done) {
  auto closing = std::make_shared<Closing>();
  closing->partitions = all_partitions();
  closing->clean = !directory_.failed();
  closing->done = std::move(done);
  for (const auto& partition : closing->partitions) {
    partition->close(ErrorCode::kNotLeaderOrFollower);
  }
  closing->closers = std::clamp<std::size_t>(closing->partitions.size() / 4, 1, kClosersMax);
  for (std::size_t i = 0, count = closing->closers; i < count; ++i) {
    home_.blocking(
        [this, closing] {
          for (std::size_t at; (at = closing->next++) < closing->partitions.size();) {
            if (!close_log(*closing->partitions[at])) closing->clean = false;
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
  directory_.note_recovery_point(partition.name(), end.end);
  directory_.note_start(partition.name(), end.start);
  directory_.note_high_watermark(partition.name(), end.visible);
  return true;
}

void Hosting::mark_clean(const std::shared_ptr<Closing>& closing) {
  home_.blocking(
      [this, closing] {
        if (!closing->clean) return;
        if (auto closed = directory_.close_clean(node_.registrar->epoch()); !closed) {
          node_.diag.error("log", "the clean-shutdown marker could not be written",
                           {{"error", closed.error().what}});
        }
      },
      [closing] { closing->done(); });
}

}  // namespace broker
