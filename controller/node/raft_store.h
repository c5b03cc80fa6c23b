// The metadata log on disk, behind the Raft core: one segment of frames and the snapshot that it
// starts from. Blocking; one call at a time (the controller calls it through Executor::blocking).
// Format: docs/metadata.md.
//
//   <20 digits>.snapshot   the image after entry N, named by N
//   <20 digits>.wal        frames: header (with the disk's name), hard state, entries, members;
//                          numbered by generation
//
// checkpoint() writes a new snapshot and a new segment that continues it, each atomically, before
// the old ones go: the highest generation is always whole up to what was synced. A torn tail, which
// only bytes that were never synced can have, is cut off at open(); damage before that is an error.
//
// After a failed write or sync every further call fails: what the disk holds is unknown until it is
// opened again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/io/disk.h"
#include "controller/raft/raft.h"

namespace controller {

class RaftStore {
 public:
  struct Opened {
    std::unique_ptr<RaftStore> store;
    raft::Recovered recovered;
    base::Uuid directory;         // the name of this disk
    bool fresh = false;           // there was no log
    std::uint64_t bytes_cut = 0;  // of a torn tail
  };
  // Makes `directory` and an empty log in it when missing; a log without a name is called `name`.
  static io::IoResult<Opened> open(io::Disk& disk, const std::string& directory, base::Uuid name);

  // Not durable before sync(). An entry replaces what the log holds from its index on.
  io::IoResult<void> write(const std::optional<raft::HardState>& hard_state,
                           std::span<const raft::Entry> entries);
  io::IoResult<void> sync();
  // `snapshot` replaces everything up to its index; `entries` follow it. Durable on return.
  io::IoResult<void> checkpoint(const raft::Snapshot& snapshot, const raft::HardState& hard_state,
                                std::span<const raft::Entry> entries);

  // Size of the segment.
  std::uint64_t log_bytes() const { return end_; }
  bool failed() const { return failed_; }

 private:
  RaftStore(io::Disk& disk, std::string directory) : disk_(disk), directory_(directory) {}

  io::IoResult<void> read_back(std::uint64_t generation, Opened& out);
  io::IoResult<void> start_segment(std::uint64_t generation, const raft::Snapshot& snapshot,
                                   const raft::HardState& hard_state,
                                   std::span<const raft::Entry> entries);
  io::IoResult<void> rename(const raft::Recovered& recovered);
  io::IoResult<void> remove_others(std::uint64_t generation, raft::Index snapshot);
  template <class T>
  io::IoResult<T> failure(io::IoError error);

  io::Disk& disk_;
  std::string directory_;
  base::Uuid name_;
  std::uint64_t generation_ = 0;
  std::shared_ptr<io::File> file_;
  std::uint64_t end_ = 0;      // of the frames written
  std::uint64_t durable_ = 0;  // of the frames synced
  bool failed_ = false;
};

}  // namespace controller
