// Control batches: one record, written by brokers, that consumers skip. Kafka's record types.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/record/batch_view.h"

namespace record {

enum class ControlType : std::int16_t {
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKRaftVersion = 5,
  kKRaftVoters = 6,
};

// The end of a producer's transaction in one partition.
struct EndTxnMarker {
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
  friend bool operator==(const EndTxnMarker&, const EndTxnMarker&) = default;
};

// A batch that holds just the marker.
base::Bytes build_end_txn_marker(const EndTxnMarker& marker, base::ProducerId producer_id,
                                 base::ProducerEpoch producer_epoch, base::WallMs timestamp,
                                 base::Offset base_offset = base::Offset(0),
                                 base::LeaderEpoch leader_epoch = base::LeaderEpoch(-1));

// The type that the key of a control record names; nothing when it is malformed or unknown.
std::optional<ControlType> parse_control_type(const BatchView& batch);
// The marker of a batch with is_control(); nothing when it is of another type or malformed.
std::optional<EndTxnMarker> parse_end_txn_marker(const BatchView& batch);

}  // namespace record
