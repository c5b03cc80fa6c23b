// Frames of the metadata log's segments and the snapshot file, bytes <-> values. Pure. All numbers
// are big-endian. docs/metadata.md draws them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/bytes.h"
#include "controller/raft/protocol.h"

namespace controller::wal {

// 2: the directory's name, members. Version 1 is read.
inline constexpr std::uint32_t kVersion = 2;
// Larger entries are refused when proposed, so a larger length on disk is damage.
inline constexpr std::size_t kEntryBytesMax = 64 << 20;

// First frame of a segment.
struct Header {
  std::uint32_t version = kVersion;
  std::uint64_t generation = 0;
  raft::Index snapshot_index;  // the snapshot that the segment continues; 0: none
  raft::Term snapshot_term;
  base::Uuid directory;  // zero in version 1
};
using Frame = std::variant<Header, raft::HardState, raft::Entry>;

// Appends the frame that will stand at `position` of the segment of that generation. `durable` is
// how much of the segment was synced when it was written.
void append(base::Bytes& to, const Frame& frame, std::uint64_t generation, std::uint64_t position,
            std::uint64_t durable);

struct Read {
  Frame frame;
  std::uint64_t size = 0;  // of the whole frame in bytes
  std::uint64_t durable = 0;
};
// The frame at `position`, or nothing when what stands there is not one.
std::optional<Read> read(base::BytesView segment, std::uint64_t position, std::uint64_t generation);
// The highest `durable` of any whole frame behind `position`: how far the segment is known to have
// been synced, although what stands at `position` is damaged.
std::uint64_t durable_behind(base::BytesView segment, std::uint64_t position,
                             std::uint64_t generation);

std::string encode_snapshot(const raft::Snapshot& snapshot);
std::optional<raft::Snapshot> decode_snapshot(std::string_view file);

}  // namespace controller::wal
