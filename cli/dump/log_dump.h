// Shows what is in the files of a partition, without a broker: segments, their indexes, the leader
// epoch checkpoint and producer snapshots. Reads only; believes nothing it reads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace cli {

struct DumpOptions {
  bool json = false;     // one object a line
  bool records = false;  // also every record of a segment
  bool summary = false;  // only one line for each file
};

// Takes finished lines.
using DumpOut = std::function<void(std::string_view)>;

// Dumps one file or every file of a directory that has a known name. Returns how many problems were
// found (and printed). Throws Failure when something cannot be read or has no known name.
std::int64_t dump_path(const std::string& path, const DumpOptions& options, const DumpOut& out);

// What has no file but bytes; `name` is printed, `base_offset` is what relative offsets count from.
// `segment` is the log that an index belongs to, to check its places (may be empty).
std::int64_t dump_segment(std::string_view name, base::BytesView bytes, const DumpOptions& options,
                          const DumpOut& out);
std::int64_t dump_offset_index(std::string_view name, base::BytesView bytes,
                               std::int64_t base_offset, base::BytesView segment,
                               const DumpOptions& options, const DumpOut& out);
std::int64_t dump_time_index(std::string_view name, base::BytesView bytes, std::int64_t base_offset,
                             const DumpOptions& options, const DumpOut& out);
std::int64_t dump_transaction_index(std::string_view name, base::BytesView bytes,
                                    const DumpOptions& options, const DumpOut& out);
std::int64_t dump_producer_snapshot(std::string_view name, base::BytesView bytes,
                                    const DumpOptions& options, const DumpOut& out);

}  // namespace cli
