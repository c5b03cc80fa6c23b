// Asks leaders where their partitions start, end, or reach a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cli/client/cluster.h"

namespace cli {

// Special times of ListOffsets.
inline constexpr std::int64_t kLatest = -1;
inline constexpr std::int64_t kEarliest = -2;

struct OffsetQuery {
  std::int32_t partition = 0;
  std::int64_t timestamp = kLatest;  // kLatest, kEarliest, or milliseconds since 1970
};

// The offset for each query, in their order, at most one for each partition; nothing where no
// record is that late. With `read_committed` the latest is the last stable offset, else the high
// watermark. Throws Failure.
std::vector<std::optional<std::int64_t>> list_offsets(Cluster& cluster, TopicInfo topic,
                                                      const std::vector<OffsetQuery>& queries,
                                                      bool read_committed);

// As list_offsets() for one special time of all partitions, but nothing for a partition that has no
// leader or whose leader does not answer: for descriptions, which must not fail on a sick cluster.
std::vector<std::optional<std::int64_t>> list_offsets_leniently(Cluster& cluster,
                                                                const TopicInfo& topic,
                                                                std::int64_t timestamp);

}  // namespace cli
