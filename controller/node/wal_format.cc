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
constexpr std::string_view kSnapshotMagic = "MLSNAP02";  // 01: without members
constexpr std::string_view kOldSnapshotMagic = "MLSNAP01";
constexpr std::size_t kMembersMax = 1000;

enum Kind : std::uint16_t { kHeader = 1, kHardState = 2, kEntry = 3, kMembers = 4 };

template <class T>
void put(base::Bytes& to, T number) {
  const auto at = to.size();
  to.resize(at + sizeof(T));
  base::store_be(to.data() + at, number);
}

void put(base::Bytes& to, const base::Uuid& uuid) {
  put(to, uuid.high);
  put(to, uuid.low);
}

void put(base::Bytes& to, const raft::Membership& membership) {
  CHECK(membership.members.size() <= kMembersMax);
  put(to, static_cast<std::uint16_t>(membership.members.size()));
  for (const raft::Member& each : membership.members) {
    CHECK(each.host.size() < 256);
    put(to, each.id.value());
    put(to, each.directory);
    put(to, static_cast<std::uint8_t>(each.voter ? 1 : 0));
    put(to, each.port);
    put(to, static_cast<std::uint8_t>(each.host.size()));
    const auto host = base::as_bytes(each.host);
    to.insert(to.end(), host.begin(), host.end());
  }
}

// Takes numbers from the front of what is left; all zero once it does not suffice.
class Taker {
 public:
  explicit Taker(base::BytesView bytes) : left_(bytes) {}
  template <class T>
  T number() {
    if (left_.size() < sizeof(T)) {
      good_ = false;
      return T{};
    }
    const T out = base::load_be<T>(left_.data());
    left_ = left_.subspan(sizeof(T));
    return out;
  }
  base::Uuid uuid() {
    const auto high = number<std::uint64_t>();
    return {high, number<std::uint64_t>()};
  }
  std::string text(std::size_t size) {
    if (left_.size() < size) {
      good_ = false;
      return {};
    }
    std::string out(base::as_text(left_.first(size)));
    left_ = left_.subspan(size);
    return out;
  }
  bool good() const { return good_; }
  base::BytesView left() const { return left_; }

 private:
  base::BytesView left_;
  bool good_ = true;
};

// Null when the bytes are not a membership.
raft::MembershipPtr take_members(Taker& from) {
  raft::Membership out;
  const auto count = from.number<std::uint16_t>();
  if (count > kMembersMax) return nullptr;
  for (std::size_t i = 0; i < count && from.good(); ++i) {
    raft::Member member;
    member.id = raft::NodeId(from.number<std::int32_t>());
    member.directory = from.uuid();
    member.voter = from.number<std::uint8_t>() != 0;
    member.port = from.number<std::uint16_t>();
    member.host = from.text(from.number<std::uint8_t>());
    out.members.push_back(std::move(member));
  }
  if (!from.good()) return nullptr;
  return std::make_shared<const raft::Membership>(std::move(out));
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
    put(to, header.directory);
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
    if (entry.members) {
      CHECK(entry.data->empty());
      put(to, *entry.members);
      return kMembers;
    }
    const auto data = base::as_bytes(*entry.data);
    to.insert(to.end(), data.begin(), data.end());
    return kEntry;
  }
};

std::optional<Frame> decode(std::uint16_t kind, base::BytesView body) {
  const auto number64 = [&](std::size_t at) { return base::load_be<std::int64_t>(&body[at]); };
  switch (kind) {
    case kHeader: {
      if (body.size() != 28 && body.size() != 44) return std::nullopt;
      Header out{base::load_be<std::uint32_t>(&body[0]), base::load_be<std::uint64_t>(&body[4]),
                 raft::Index(number64(12)), raft::Term(number64(20)), base::Uuid{}};
      if (body.size() == 44) {
        out.directory = {base::load_be<std::uint64_t>(&body[28]),
                         base::load_be<std::uint64_t>(&body[36])};
      }
      return out;
    }
    case kHardState:
      if (body.size() != 12) return std::nullopt;
      return raft::HardState{raft::Term(number64(0)),
                             raft::NodeId(base::load_be<std::int32_t>(&body[8]))};
    case kEntry:
      if (body.size() < 16) return std::nullopt;
      return raft::Entry{raft::Index(number64(0)), raft::Term(number64(8)),
                         std::make_shared<const std::string>(base::as_text(body.subspan(16))),
                         nullptr};
    case kMembers: {
      Taker taker(body);
      const raft::Index index(taker.number<std::int64_t>());
      const raft::Term term(taker.number<std::int64_t>());
      auto members = take_members(taker);
      if (!members || !taker.left().empty()) return std::nullopt;
      return raft::Entry{index, term, std::make_shared<const std::string>(), std::move(members)};
    }
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

// magic 8 · index i64 · term i64 · members · data · crc32c u32
std::string encode_snapshot(const raft::Snapshot& snapshot) {
  base::Bytes out;
  out.reserve(snapshot.data->size() + 256);
  const auto magic = base::as_bytes(kSnapshotMagic);
  out.insert(out.end(), magic.begin(), magic.end());
  put(out, snapshot.index.value());
  put(out, snapshot.term.value());
  put(out, snapshot.members ? *snapshot.members : raft::Membership{});
  const auto data = base::as_bytes(*snapshot.data);
  out.insert(out.end(), data.begin(), data.end());
  put(out, base::crc32c(out));
  return std::string(base::as_text(out));
}

std::optional<raft::Snapshot> decode_snapshot(std::string_view file) {
  const std::size_t head = kSnapshotMagic.size() + 16;
  const bool old = file.starts_with(kOldSnapshotMagic);
  if (file.size() < head + kCrcSize || (!old && !file.starts_with(kSnapshotMagic))) {
    return std::nullopt;
  }
  const base::BytesView bytes = base::as_bytes(file);
  const std::size_t end = file.size() - kCrcSize;
  if (base::load_be<std::uint32_t>(&bytes[end]) != base::crc32c(bytes.first(end))) {
    return std::nullopt;
  }
  Taker taker(bytes.subspan(kSnapshotMagic.size(), end - kSnapshotMagic.size()));
  raft::Snapshot out;
  out.index = raft::Index(taker.number<std::int64_t>());
  out.term = raft::Term(taker.number<std::int64_t>());
  if (!old) {
    out.members = take_members(taker);
    if (!out.members) return std::nullopt;
    if (out.members->members.empty()) out.members = nullptr;
  }
  out.data = std::make_shared<const std::string>(base::as_text(taker.left()));
  return out;
}

}  // namespace controller::wal
