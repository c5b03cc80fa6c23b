// Work on the files beside a log's data that nobody waits for: indexes of rolled segments, producer
// snapshots, the epoch checkpoint. Values and open files, taken under the partition's lock and
// worked off without it, after the flush that came with it has been answered.
//
// The order inside run() is a promise: a producer snapshot of an offset is on the medium only once
// the indexes and epochs below that offset are. Recovery trusts them up to the newest snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/io/disk.h"

namespace broker {

class Segment;

struct Upkeep {
  // Bytes to write at a position of a file, which ends behind them.
  struct SideFile {
    std::string path;
    base::Bytes content;
    std::uint64_t position = 0;
  };
  // How far one segment's indexes have reached the medium once this is done.
  struct Persisted {
    std::shared_ptr<Segment> segment;
    std::uint64_t size = 0;
    std::uint64_t offset_entries = 0;
    std::uint64_t time_entries = 0;
    std::uint64_t aborted_entries = 0;
    bool sealed = false;
  };
  enum class State : std::uint8_t { kPending, kDone, kSkipped };

  std::string directory;
  std::vector<SideFile> indexes;
  std::vector<SideFile> snapshots;
  std::vector<base::Offset> snapshot_offsets;
  std::optional<std::string> epochs;
  std::vector<std::string> obsolete;  // to remove at the end; missing is fine
  std::vector<base::Offset> obsolete_offsets;
  std::vector<Persisted> persisted;
  std::uint64_t epochs_version = 0;
  std::uint64_t truncations = 0;
  // Read by the log, under the partition's lock, the next time it looks.
  std::atomic<State> state{State::kPending};

  bool empty() const { return indexes.empty() && snapshots.empty() && !epochs; }
  // Blocks. Leaves `state` behind: done, or skipped when the disk is full (to be tried again) or
  // the partition was deleted. Any other failure is returned.
  io::IoResult<void> run(io::Disk& disk);
  // The same for many logs of the directory at `path`, with two syncs of its file system in all
  // instead of several for each. Upkeeps that ran or were finished meanwhile are passed over.
  static io::IoResult<void> run_together(io::Disk& disk, const std::string& path,
                                         std::span<const std::shared_ptr<Upkeep>> upkeeps);
  // Waits for a run that is under way elsewhere, and makes a later one do nothing. Blocks.
  void finish();

 private:
  std::mutex running_;
};

// Writes and syncs files and then their directory. Writing the same file with the same content from
// two places at once does no harm, even in a crash.
io::IoResult<void> write_side_files(io::Disk& disk, const std::string& directory,
                                    const std::vector<Upkeep::SideFile>& sides);

}  // namespace broker
