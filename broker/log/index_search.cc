#include "broker/log/index_search.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace broker {
namespace {

using record::Layout;

// What the walk needs of a header: up to and with the last offset delta.
constexpr std::size_t kPeek = Layout::kBaseTimestamp;
constexpr std::size_t kWalkBytes = 4096;
constexpr std::uint64_t kPrefetchBytes = 64 << 10;

// Reads at least `need` bytes unless the medium is needed and must not be; then 0.
io::IoResult<std::size_t> read_some(const io::File& file, base::MutableBytes out,
                                    std::uint64_t position, std::size_t need, Wait wait) {
  if (wait == Wait::kNever) {
    auto got = file.read_cached_at(out, position);
    if (got && *got >= need) return got;
    if (got || got.error().code == EAGAIN) return std::size_t{0};
    if (got.error().code != EOPNOTSUPP) return got;
  }
  auto got = file.read_at(out, position);
  if (got && *got < need) {
    return io::io_failure(EBADMSG, "a log file is shorter than it was");
  }
  return got;
}

template <class Entry>
io::IoResult<Found<Entry>> floor_in_file(CachedFile& cached, std::uint64_t count, std::int64_t key,
                                         Wait wait) {
  Found<Entry> found;
  if (count == 0) return found;
  auto file = cached.get();
  if (!file) {
    if (file.error().code == ENOENT) return found;
    return std::unexpected(file.error());
  }
  std::uint64_t low = 0;  // entries below it have keys <= key
  std::uint64_t high = count;
  std::array<std::byte, Entry::kSize> bytes;
  while (low < high) {
    const std::uint64_t middle = (low + high) / 2;
    auto got = read_some(**file, bytes, middle * Entry::kSize, Entry::kSize, wait);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) {
      found.cold = io::FileSlice{*file, 0, count * Entry::kSize};
      return found;
    }
    const Entry entry = Entry::decode(bytes.data());
    if (entry.key() <= key) {
      found.value = entry;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return found;
}

template <class Entry>
io::IoResult<std::uint64_t> persisted_count(const IndexTail<Entry>& index, CachedFile& cached) {
  if (index.persisted()) return *index.persisted();
  auto file = cached.get();
  if (!file) {
    if (file.error().code == ENOENT) return std::uint64_t{0};
    return std::unexpected(file.error());
  }
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  return *size / Entry::kSize;
}

}  // namespace

template <class Entry>
io::IoResult<Found<Entry>> floor_entry(const IndexTail<Entry>& index, CachedFile& file,
                                       std::int64_t key, Wait wait) {
  const auto after = std::ranges::upper_bound(index.tail(), key, {}, &Entry::key);
  if (after != index.tail().begin()) return Found<Entry>{.value = *(after - 1)};
  auto count = persisted_count(index, file);
  if (!count) return std::unexpected(count.error());
  return floor_in_file<Entry>(file, *count, key, wait);
}

template <class Entry>
io::IoResult<std::optional<Entry>> last_in_file(const IndexTail<Entry>& index, CachedFile& cached) {
  auto count = persisted_count(index, cached);
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return std::nullopt;
  auto file = cached.get();
  if (!file) return std::unexpected(file.error());
  std::array<std::byte, Entry::kSize> bytes;
  auto got = (*file)->read_at(bytes, (*count - 1) * Entry::kSize);
  if (!got) return std::unexpected(got.error());
  if (*got < bytes.size()) return std::nullopt;
  return Entry::decode(bytes.data());
}

template io::IoResult<Found<OffsetEntry>> floor_entry(const IndexTail<OffsetEntry>&, CachedFile&,
                                                      std::int64_t, Wait);
template io::IoResult<Found<TimeEntry>> floor_entry(const IndexTail<TimeEntry>&, CachedFile&,
                                                    std::int64_t, Wait);
template io::IoResult<std::optional<OffsetEntry>> last_in_file(const IndexTail<OffsetEntry>&,
                                                               CachedFile&);
template io::IoResult<std::optional<TimeEntry>> last_in_file(const IndexTail<TimeEntry>&,
                                                             CachedFile&);

io::IoResult<Found<BatchPlace>> walk(const Segment& segment, std::uint64_t position,
                                     std::uint64_t size, base::Offset target, Wait wait) {
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  std::array<std::byte, kWalkBytes> buffer;
  std::uint64_t buffered_from = 0;
  std::size_t buffered = 0;
  while (position + kPeek <= size) {
    if (position < buffered_from || position + kPeek > buffered_from + buffered) {
      const std::size_t want = std::min<std::uint64_t>(buffer.size(), size - position);
      auto got = read_some(**file, base::MutableBytes(buffer).first(want), position, kPeek, wait);
      if (!got) return std::unexpected(got.error());
      if (*got == 0) {
        const std::uint64_t length = std::min(kPrefetchBytes, size - position);
        return Found<BatchPlace>{.cold = io::FileSlice{*file, position, length}};
      }
      buffered_from = position;
      buffered = *got;
    }
    const std::byte* header = buffer.data() + (position - buffered_from);
    const auto length = base::load_be<std::int32_t>(header + Layout::kLength);
    const auto delta = base::load_be<std::int32_t>(header + Layout::kLastOffsetDelta);
    const base::Offset first(base::load_be<std::int64_t>(header + Layout::kBaseOffset));
    if (length < static_cast<std::int32_t>(record::kHeaderSize - record::kLogOverhead) ||
        static_cast<std::int8_t>(header[Layout::kMagic]) != record::kMagicV2 || delta < 0 ||
        first < segment.base()) {
      return io::io_failure(
          EBADMSG, segment.path(".log") + ": no batch at position " + std::to_string(position));
    }
    const std::uint64_t batch_size = record::kLogOverhead + static_cast<std::uint64_t>(length);
    if (position + batch_size > size) break;
    if (first + delta >= target) {
      return Found<BatchPlace>{.value = BatchPlace{first, first + delta + 1, position, batch_size}};
    }
    position += batch_size;
  }
  return Found<BatchPlace>{};
}

io::IoResult<Found<BatchPlace>> locate(const Segment& segment, std::uint64_t size,
                                       base::Offset target, Wait wait) {
  const std::int64_t relative = target - segment.base();
  auto entry = floor_entry(segment.offsets, segment.offset_file(), relative, wait);
  if (!entry) return std::unexpected(entry.error());
  if (entry->cold) return Found<BatchPlace>{.cold = std::move(entry->cold)};
  std::uint64_t position = 0;
  if (entry->value && entry->value->position > 0 &&
      static_cast<std::uint64_t>(entry->value->position) < size) {
    position = static_cast<std::uint64_t>(entry->value->position);
  }
  auto found = walk(segment, position, size, target, wait);
  const bool lost = !found && found.error().code == EBADMSG;
  // The entry's own batch may begin behind the target only if the index lies.
  if (position == 0 || (!lost && found)) return found;
  return walk(segment, 0, size, target, wait);
}

}  // namespace broker
