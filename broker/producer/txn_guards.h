// Keeps the first records of a transaction in a partition from being written after its end. Before
// them the leader asks the coordinator whether the partition is in the transaction (KIP-890); when
// the answer comes the transaction may have ended already, with a marker that overtook it. A guard
// is taken before asking; a marker breaks it; only with an unbroken guard a transaction begins.
//
// A core: owned by the partition, used under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/base/ids.h"

namespace broker {

using TxnGuard = std::uint64_t;  // never 0

class TxnGuards {
 public:
  // One more request asks about this producer.
  TxnGuard take(base::ProducerId producer_id) {
    auto [at, fresh] = held_.try_emplace(producer_id);
    if (fresh) at->second.guard = ++last_;
    ++at->second.holders;
    return at->second.guard;
  }
  void give_back(base::ProducerId producer_id, TxnGuard guard) {
    const auto at = held_.find(producer_id);
    if (at == held_.end() || at->second.guard != guard) return;
    if (--at->second.holders == 0) held_.erase(at);
  }
  bool is_held(base::ProducerId producer_id) const { return held_.contains(producer_id); }
  bool is_whole(base::ProducerId producer_id, TxnGuard guard) const {
    const auto at = held_.find(producer_id);
    return at != held_.end() && at->second.guard == guard;
  }
  // A marker was written.
  void break_all(base::ProducerId producer_id) { held_.erase(producer_id); }
  // The partition was led by another one meanwhile: its markers did not come by here.
  void break_everything() { held_.clear(); }

 private:
  struct Held {
    TxnGuard guard = 0;
    std::uint32_t holders = 0;
  };
  std::map<base::ProducerId, Held> held_;
  TxnGuard last_ = 0;
};

}  // namespace broker
