// A follower's side of the rules: where to cut when the leader's log parted from ours (KIP-101,
// KIP-279, KIP-595), and what of its answer may be appended. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace broker {

// The end of the largest leader epoch at or below the one asked about.
struct EpochEnd {
  base::LeaderEpoch leader_epoch;
  base::Offset end;
};

// Where our log is to be cut, given the leader's epoch end and ours for that epoch (nothing: all
// our epochs are smaller). Never above our end. A cut too low costs records that come again, one
// too high would keep what the leader never had. The high watermark does not count: KIP-101 tells
// why.
base::Offset cut_of(const EpochEnd& leader, const std::optional<EpochEnd>& ours, base::Offset end,
                    base::Offset high_watermark);

// What of a leader's answer may be appended: batches that are whole, undamaged, rising from `end`
// on, of epochs that do not fall and are not above `leader_epoch`. A last batch that was cut short
// is passed over, and so is everything from the first batch of a later epoch on (KAFKA-18723).
// Batches below `end` are held already, from a fetch that began at the durable end, if they are of
// the epoch that stands there; if not, the logs part at them. The error is for operators.
struct Acceptance {
  base::Offset end;
  base::LeaderEpoch leader_epoch;  // in which the records were asked for
  std::function<std::optional<base::LeaderEpoch>(base::Offset)> epoch_at;  // below `end`
};
struct Accepted {
  std::vector<base::BytesView> batches;
  std::optional<base::Offset> parted_at;
  // Up to here the answer shows that the logs agree, once `batches` are appended; -1 by nothing.
  base::Offset agreed{-1};
};
std::expected<Accepted, std::string> accept_batches(base::BytesView records,
                                                    const Acceptance& rules);

}  // namespace broker
