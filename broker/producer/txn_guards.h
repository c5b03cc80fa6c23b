// Keeps the first records of a transaction in a partition from being written after its end. Before
// them the leader asks the coordinator whether the partition is in the transaction (KIP-890); when
// the answer comes the transaction may have ended already, with a marker that overtook it. A guard
// is taken before asking; a marker breaks it; only with an unbroken guard a transaction begins.
//
// Requests that ask about one producer stand in line: a client that sends several without waiting
// numbered its batches in that order, and what one of them is told must not overtake another.
//
// A core: owned by the partition, used under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/base/ids.h"

namespace broker {

using TxnGuard = std::uint64_t;  // never 0; of one request, until it gives it back

class TxnGuards {
 public:
  // One more request asks about this producer, at the end of its line.
  TxnGuard take(base::ProducerId producer_id) {
    held_[producer_id].emplace(++last_, true);
    return last_;
  }
  void give_back(base::ProducerId producer_id, TxnGuard guard) {
    const auto line = held_.find(producer_id);
    if (line == held_.end()) return;
    line->second.erase(guard);
    if (line->second.empty()) held_.erase(line);
  }
  // Asks anew, and keeps its place.
  void renew(base::ProducerId producer_id, TxnGuard guard) {
    if (const auto line = held_.find(producer_id); line != held_.end()) {
      if (const auto at = line->second.find(guard); at != line->second.end()) at->second = true;
    }
  }
  bool is_held(base::ProducerId producer_id) const { return held_.contains(producer_id); }
  bool is_whole(base::ProducerId producer_id, TxnGuard guard) const {
    const auto line = held_.find(producer_id);
    if (line == held_.end()) return false;
    const auto at = line->second.find(guard);
    return at != line->second.end() && at->second;
  }
  // The guard of who came first and still asks; 0: nobody does.
  TxnGuard first(base::ProducerId producer_id) const {
    const auto line = held_.find(producer_id);
    return line == held_.end() ? 0 : line->second.begin()->first;
  }
  // A marker was written.
  void break_all(base::ProducerId producer_id) {
    if (const auto line = held_.find(producer_id); line != held_.end()) break_line(line->second);
  }
  // The partition was led by another one meanwhile: its markers did not come by here.
  void break_everything() {
    for (auto& [producer_id, line] : held_) break_line(line);
  }

 private:
  using Line = std::map<TxnGuard, bool>;  // in the order they came; whether it is whole
  static void break_line(Line& line) {
    for (auto& [guard, whole] : line) whole = false;
  }
  std::map<base::ProducerId, Line> held_;
  TxnGuard last_ = 0;
};

}  // namespace broker
