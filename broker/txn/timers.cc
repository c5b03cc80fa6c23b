// What happens by itself: transactions that are open too long, transactional ids nobody uses.
#include <algorithm>
#include <utility>

#include "broker/txn/limits.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/mutant.h"

namespace broker::txn {

std::optional<base::Instant> TxnCoordinator::wake_at() const {
  if (transactions_.empty()) return std::nullopt;
  return std::min(next_timeout_check_, next_expiration_check_);
}

void TxnCoordinator::step(base::Instant now, base::WallMs wall_ms, Output& out) {
  if (now >= next_timeout_check_) {
    next_timeout_check_ = now + config_.timeout_check;
    abort_timed_out(wall_ms, out);
  }
  if (now >= next_expiration_check_) {
    next_expiration_check_ = now + config_.expiration_check;
    expire_ids(wall_ms, out);
  }
}

void TxnCoordinator::abort_timed_out(base::WallMs wall_ms, Output& out) {
  std::vector<std::string> late;
  for (const auto& [id, each] : transactions_) {
    if (each.is(State::kOngoing) && each.started_ms + each.timeout_ms < wall_ms) late.push_back(id);
  }
  for (const std::string& id : late) {
    ++stats_.timed_out;
    if (MUTANT("txn-timeout-keeps-epoch")) {
      prepare(*find(id), false, wall_ms, out);
    } else {
      fence(*find(id), wall_ms, out);
    }
  }
}

void TxnCoordinator::expire_ids(base::WallMs wall_ms, Output& out) {
  const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(config_.expiration);
  std::vector<Record> records;
  std::size_t bytes = kOverheadBytes;
  auto leave = [&] {
    if (records.empty()) return;
    last_append_ = last_append_ + 1;
    out.append.push_back(
        {.number = last_append_, .timestamp_ms = wall_ms, .records = std::exchange(records, {})});
    bytes = kOverheadBytes;
  };
  for (auto it = transactions_.begin(); it != transactions_.end();) {
    const Transaction& each = it->second;
    const bool is_idle = each.is(State::kEmpty) || each.is_complete();
    if (!is_idle || each.updated_ms + after.count() > wall_ms) {
      ++it;
      continue;
    }
    Record record = encode_tombstone(each.id);
    const std::size_t more = record.key.size() + kOverheadBytes;
    if (records.size() == kTombstonesPerAppend || bytes + more > config_.batch_bytes_max) leave();
    bytes += more;
    records.push_back(std::move(record));
    ++stats_.expired_ids;
    it = transactions_.erase(it);
  }
  leave();
}

}  // namespace broker::txn
