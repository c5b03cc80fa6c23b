#include "controller/node/wal_format.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace controller::wal {
namespace {

// crc32c u32 · magic u16 · kind u16 · body length u32 · durable u64 · body
constexpr std::size_t kCrcSize = 4;
constexpr std::size_t kHeadSize = 4 + 2 + 2 + 4 + 8;
constexpr std::uint16_t kMagic = 0x4d4c;
constexpr std::string_view kSnapshotMagic = "MLSNAP01";

enum Kind : std::uint16_t { kHeader = 1, kHardState = 2, kEntry = 3 };

template <class T>
void put(base::Bytes& to, T number) {
  const auto at = to.size();
  to.resize(at + sizeof(T));
  base::store_be(to.data() + at, number);
}

// The checksum also covers where the frame belongs: a stale or misplaced one does not pass.
std::uint32_t checksum(base::BytesView bytes, std::uint64_t generation, std::uint64_t position) {
  std::array<std::byte, 16> place;
  base::store_be(place.data(), generation);
  base::store_be(place.data() + 8, position);
  return base::crc32c(bytes, base::crc32c(place));
}

struct Put {
  base::Bytes& to;
  Kind operator()(const Header& header) {
    put(to, header.version);
    put(to, header.generation);
    put(to, header.snapshot_index.value());
    put(to, header.snapshot_term.value());
    return kHeader;
  }
  Kind operator()(const raft::HardState& state) {
    put(to, state.term.value());
    put(to, state.vote.value());
    return kHardState;
  }
  Kind operator()(const raft::Entry& entry) {
    CHECK(entry.data->size() <= kEntryBytesMax);
    put(to, entry.index.value());
    put(to, entry.term.value());
    const auto data = base::as_bytes(*entry.data);
    to.insert(to.end(), data.begin(), data.end());
    return kEntry;
  }
};

std::optional<Frame> decode(std::uint16_t kind, base::BytesView body) {
  const auto number64 = [&](std::size_t at) { return base::load_be<std::int64_t>(&body[at]); };
  switch (kind) {
    case kHeader: {
      if (body.size() != 28) return std::nullopt;
      return Header{base::load_be<std::uint32_t>(&body[0]), base::load_be<std::uint64_t>(&body[4]),
                    raft::Index(number64(12)), raft::Term(number64(20))};
    }
    case kHardState:
      if (body.size() != 12) return std::nullopt;
      return raft::HardState{raft::Term(number64(0)),
                             raft::NodeId(base::load_be<std::int32_t>(&body[8]))};
    case kEntry:
      if (body.size() < 16) return std::nullopt;
      return raft::Entry{raft::Index(number64(0)), raft::Term(number64(8)),
                         std::make_shared<const std::string>(base::as_text(body.subspan(16)))};
    default:
      return std::nullopt;
  }
}

}  // namespace

void append(base::Bytes& to, const Frame& frame, std::uint64_t generation, std::uint64_t position,
            std::uint64_t durable) {
  const std::size_t start = to.size();
  to.resize(start + kHeadSize);
  const Kind kind = std::visit(Put{to}, frame);
  std::byte* head = to.data() + start;
  base::store_be(head + 4, kMagic);
  base::store_be(head + 6, static_cast<std::uint16_t>(kind));
  base::store_be(head + 8, static_cast<std::uint32_t>(to.size() - start - kHeadSize));
  base::store_be(head + 12, durable);
  const auto covered = base::BytesView(to).subspan(start + kCrcSize);
  base::store_be(head, checksum(covered, generation, position));
}

std::optional<Read> read(base::BytesView segment, std::uint64_t position,
                         std::uint64_t generation) {
  if (position > segment.size() || segment.size() - position < kHeadSize) return std::nullopt;
  const base::BytesView rest = segment.subspan(position);
  if (base::load_be<std::uint16_t>(&rest[4]) != kMagic) return std::nullopt;
  const std::uint64_t length = base::load_be<std::uint32_t>(&rest[8]);
  if (length > kEntryBytesMax + 16 || length > rest.size() - kHeadSize) return std::nullopt;
  const base::BytesView covered = rest.subspan(kCrcSize, kHeadSize - kCrcSize + length);
  if (base::load_be<std::uint32_t>(&rest[0]) != checksum(covered, generation, position)) {
    return std::nullopt;
  }
  auto frame = decode(base::load_be<std::uint16_t>(&rest[6]), rest.subspan(kHeadSize, length));
  if (!frame) return std::nullopt;
  return Read{std::move(*frame), kHeadSize + length, base::load_be<std::uint64_t>(&rest[12])};
}

std::uint64_t durable_behind(base::BytesView segment, std::uint64_t position,
                             std::uint64_t generation) {
  std::uint64_t durable = 0;
  // The magic keeps this quick: few places are worth a checksum.
  while (++position + kHeadSize <= segment.size()) {
    if (auto found = read(segment, position, generation)) {
      durable = std::max(durable, found->durable);
      position += found->size - 1;
    }
  }
  return durable;
}

std::string encode_snapshot(const raft::Snapshot& snapshot) {
  base::Bytes out;
  out.reserve(snapshot.data->size() + 64);
  const auto magic = base::as_bytes(kSnapshotMagic);
  out.insert(out.end(), magic.begin(), magic.end());
  put(out, snapshot.index.value());
  put(out, snapshot.term.value());
  const auto data = base::as_bytes(*snapshot.data);
  out.insert(out.end(), data.begin(), data.end());
  put(out, base::crc32c(out));
  return std::string(base::as_text(out));
}

std::optional<raft::Snapshot> decode_snapshot(std::string_view file) {
  const std::size_t head = kSnapshotMagic.size() + 16;
  if (file.size() < head + kCrcSize || !file.starts_with(kSnapshotMagic)) return std::nullopt;
  const base::BytesView bytes = base::as_bytes(file);
  const std::size_t end = file.size() - kCrcSize;
  if (base::load_be<std::uint32_t>(&bytes[end]) != base::crc32c(bytes.first(end))) {
    return std::nullopt;
  }
  return raft::Snapshot{raft::Index(base::load_be<std::int64_t>(&bytes[8])),
                        raft::Term(base::load_be<std::int64_t>(&bytes[16])),
                        std::make_shared<const std::string>(file.substr(head, end - head))};
}

}  // namespace controller::wal
