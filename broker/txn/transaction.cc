#include "broker/txn/transaction.h"

#include <array>

namespace broker::txn {
namespace {

constexpr std::array<std::string_view, 7> kNames = {
    "Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead"};

}  // namespace

std::string_view name(State state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<State> state_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

bool Transaction::same_record(const Transaction& other) const {
  return id == other.id && state == other.state && producer_id == other.producer_id &&
         previous_producer_id == other.previous_producer_id &&
         next_producer_id == other.next_producer_id && epoch == other.epoch &&
         timeout_ms == other.timeout_ms && partitions == other.partitions &&
         started_ms == other.started_ms && updated_ms == other.updated_ms &&
         client_version == other.client_version;
}

}  // namespace broker::txn
