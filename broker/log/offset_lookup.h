// A search of a log by time, cut loose from it: holds what it needs of the segments, so that it can
// run without the partition's lock while the log goes on. Blocks; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "broker/log/index_tail.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/io/error.h"

namespace broker {

class Segment;

struct TimestampedOffset {
  base::Offset offset{-1};
  base::WallMs timestamp = -1;
  base::LeaderEpoch leader_epoch{-1};
  friend bool operator==(const TimestampedOffset&, const TimestampedOffset&) = default;
};

class OffsetLookup {
 public:
  // Decompressed size of one batch, at most; a batch that is larger is not looked into: EMSGSIZE.
  static constexpr std::size_t kBatchBytesMax = 256 << 20;

  // Nothing: no such record. EBADMSG: the batch that would hold it does not parse.
  io::IoResult<std::optional<TimestampedOffset>> run() const;

 private:
  friend class Log;
  // A segment to look into as it was when the search was made. What was only in memory then is
  // copied; what is in files does not change any more.
  struct Part {
    std::shared_ptr<const Segment> segment;
    std::uint64_t size = 0;
    std::optional<TimeEntry> largest;
    IndexTail<TimeEntry> times;
    IndexTail<OffsetEntry> offsets;
  };
  void add(std::shared_ptr<const Segment> segment);
  io::IoResult<std::optional<TimeEntry>> largest_of(const Part& part) const;
  io::IoResult<std::uint64_t> position_before(const Part& part, base::WallMs timestamp) const;
  io::IoResult<std::optional<TimestampedOffset>> first_at_or_above(base::WallMs timestamp) const;
  io::IoResult<std::optional<TimestampedOffset>> scan(const Part& part,
                                                      base::WallMs timestamp) const;
  io::IoResult<base::WallMs> largest_inside(const Part& part) const;

  bool max_ = false;
  base::WallMs timestamp_ = 0;
  base::Offset start_{0};
  base::Offset end_{0};
  std::vector<Part> parts_;
};

}  // namespace broker
