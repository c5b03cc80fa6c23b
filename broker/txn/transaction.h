// One transactional id: who owns it and what its transaction has touched. Plain data; the rules are
// TxnCoordinator's.
//
//              AddPartitions              EndTxn, timeout, fence           markers written
//   Empty ─────────────────────▶ Ongoing ───────────────────────▶ Prepare* ───────────────▶
//   Complete*
//     ▲                             ▲                                ▲                          │ │
//     │                             └────────── AddPartitions ───────┼──────────────────────────┘ │
//     └──────────────────────────────────────── InitProducerId
//     ──────┼─────────────────────────────┘
//                                  an abort of nothing (version 2) ──┘
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "broker/txn/ids.h"
#include "common/base/time.h"

namespace broker::txn {

// Kafka's numbers: they are in the log.
enum class State : std::int8_t {
  kEmpty = 0,
  kOngoing = 1,
  kPrepareCommit = 2,
  kPrepareAbort = 3,
  kCompleteCommit = 4,
  kCompleteAbort = 5,
  kDead = 6,
};

// Kafka's names: "PrepareCommit".
std::string_view name(State state);
std::optional<State> state_of(std::string_view name);

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

struct Transaction {
  std::string id;
  State state = State::kEmpty;
  base::ProducerId producer_id = kNoProducerId;
  base::ProducerId previous_producer_id = kNoProducerId;  // before the last change of state
  base::ProducerId next_producer_id = kNoProducerId;      // takes over when this one is complete
  base::ProducerEpoch epoch = kNoEpoch;
  std::int32_t timeout_ms = 0;
  std::set<TopicPartition> partitions;
  base::WallMs started_ms = -1;  // of the transaction; -1 before the first
  base::WallMs updated_ms = 0;
  std::int16_t client_version = 0;  // transaction version by which it was last moved

  // Not in the log.
  base::ProducerEpoch last_epoch = kNoEpoch;  // the one before, while its owner may retry
  AppendNumber last_append{};                 // the last one that speaks of this id
  OrderNumber order{};                        // of the markers being written; 0: none

  bool is(State s) const { return state == s; }
  bool is_preparing() const { return is(State::kPrepareCommit) || is(State::kPrepareAbort); }
  bool is_open() const { return is(State::kOngoing) || is_preparing(); }
  bool is_complete() const { return is(State::kCompleteCommit) || is(State::kCompleteAbort); }
  bool epoch_exhausted() const { return epoch >= kLastEpoch; }
  // What a restart would find.
  bool same_record(const Transaction& other) const;
};

}  // namespace broker::txn
