// A log gives way to its copy in another directory. Who appends and reads notices nothing but that
// commits wait, as for a flush, until the copy is the one that a crash would leave.
#include <utility>

#include "broker/node/partition.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

bool Partition::exchange_log(std::unique_ptr<Log>& copy, LogDirectory& directory, Flusher& flusher,
                             const std::function<bool(Log& from, Log& to)>& complete) {
  std::lock_guard lock(mutex_);
  if (closed_ != ErrorCode::kNone || cutting_ || settling_ || log_->failed()) return false;
  if (!complete(*log_, *copy)) return false;
  const base::Offset held = own_locked();
  copy->set_config(log_->config());
  copy->take_over(*log_);
  std::swap(log_, copy);
  directory_ = &directory;
  flusher_ = &flusher;
  if (!MUTANT("move-counts-at-once")) held_ = held;
  settling_ = true;
  return true;
}

void Partition::settle_exchange(bool good) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    CHECK(settling_);
    settling_ = false;
    if (good) held_.reset();
    if (closed_ == ErrorCode::kNone) {
      if (good) woken = settle_locked();
      // For who came meanwhile; after a failure they are refused.
      flusher_->request_sync(shared_from_this());
    }
    if (works_under_way_ == 0 && on_quiet_) {
      quiet_home_->post(std::exchange(on_quiet_, nullptr));
    }
  }
  tell(std::move(woken));
}

}  // namespace broker
