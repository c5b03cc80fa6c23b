// A search of a log by time, cut loose from it: holds what it needs of the segments, so that it can
// run without the partition's lock while the log goes on. Blocks; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

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
  // Nothing: no such record. EBADMSG: the batch that would hold it does not parse.
  io::IoResult<std::optional<TimestampedOffset>> run() const;

 private:
  friend class Log;
  // One segment to look into, from a position on, up to the end it had when the search was made.
  struct Part {
    std::shared_ptr<const Segment> segment;
    std::uint64_t size = 0;
    std::optional<base::WallMs> largest;  // known for segments that were written by this process
    std::uint64_t position = 0;           // where to begin; from the index for the active segment
    bool positioned = false;
  };
  io::IoResult<std::optional<TimestampedOffset>> search_timestamp() const;
  io::IoResult<std::optional<TimestampedOffset>> search_max() const;
  io::IoResult<std::optional<TimestampedOffset>> scan(const Part& part, std::uint64_t position,
                                                      base::WallMs target) const;

  bool max_ = false;
  base::WallMs timestamp_ = 0;
  base::Offset start_{0};
  base::Offset end_{0};
  std::vector<Part> parts_;
};

}  // namespace broker
