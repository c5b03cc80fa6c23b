// Finding a batch in a segment: floor search in an index, then a walk over batch headers. Reads a
// few KiB at most unless an index is missing. Blocks only when asked to.
#pragma once

#include <cstdint>
#include <optional>

#include "broker/log/segment.h"
#include "common/base/ids.h"
#include "common/io/disk.h"
#include "common/io/net.h"

namespace broker {

enum class Wait : std::uint8_t { kNever, kMayBlock };

struct BatchPlace {
  base::Offset base_offset;
  base::Offset next_offset;
  std::uint64_t position = 0;
  std::uint64_t size = 0;
};

// An answer, or what must be brought into memory before asking again.
template <class T>
struct Found {
  std::optional<T> value;
  std::optional<io::FileSlice> cold;
};

// The newest entry of an index with key() <= `key`; nothing when there is none. `file` holds what
// the index calls persisted; a missing one is empty. For OffsetEntry and TimeEntry.
template <class Entry>
io::IoResult<Found<Entry>> floor_entry(const IndexTail<Entry>& index, CachedFile& file,
                                       std::int64_t key, Wait wait);
// The newest entry that stands in the file; nothing when it has none. Blocks.
template <class Entry>
io::IoResult<std::optional<Entry>> last_in_file(const IndexTail<Entry>& index, CachedFile& file);

// The first batch that ends above `target` in the first `size` bytes of the segment; nothing when
// all end below. EBADMSG: the headers on the way are no batch headers.
io::IoResult<Found<BatchPlace>> locate(const Segment& segment, std::uint64_t size,
                                       base::Offset target, Wait wait);
// The same from a batch boundary on.
io::IoResult<Found<BatchPlace>> walk(const Segment& segment, std::uint64_t position,
                                     std::uint64_t size, base::Offset target, Wait wait);

}  // namespace broker
