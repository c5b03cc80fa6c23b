// Where each leader epoch of a log starts: what followers and clients use to find out where their
// log parted from this one. Pure; owned by Log. File: leader-epoch-checkpoint (docs/log_format.md).
//
// Invariant: epochs and start offsets both rise strictly.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace broker {

struct EpochStart {
  base::LeaderEpoch leader_epoch;
  base::Offset start;
  friend bool operator==(const EpochStart&, const EpochStart&) = default;
};

class EpochCache {
 public:
  // Nothing when the text is malformed or breaks the invariant.
  static std::optional<EpochCache> parse(std::string_view text);
  std::string encode() const;

  // Notes that `leader_epoch` starts at `start`; entries that contradict it (later epochs, or
  // starts at or above it) go. True when anything changed.
  bool assign(base::LeaderEpoch leader_epoch, base::Offset start);
  // Epochs that start at or above `end` go.
  bool truncate_end(base::Offset end);
  // Epochs that end at or below `start` go; the one that `start` lies in now starts there.
  bool truncate_start(base::Offset start);
  void clear() { entries_.clear(); }

  const std::vector<EpochStart>& entries() const { return entries_; }
  std::optional<base::LeaderEpoch> latest() const;
  // The epoch that the record at `offset` was written in; nothing below the first.
  std::optional<base::LeaderEpoch> epoch_at(base::Offset offset) const;
  // The largest epoch at or below the one asked for, with its end offset: `log_end` for the latest
  // one. Nothing when the epoch asked for is above the latest (unknown here) or the cache is empty;
  // for one below the first, that epoch itself ending where the first begins. As Kafka answers
  // OffsetForLeaderEpoch.
  std::optional<EpochStart> end_offset_for(base::LeaderEpoch asked, base::Offset log_end) const;

 private:
  std::vector<EpochStart> entries_;
};

}  // namespace broker
