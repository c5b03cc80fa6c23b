// A disk of the simulator: io::Disk in memory, with what a real one does to you. It keeps two
// images: what processes see (the page cache) and what survives a crash. Writes, truncations and
// names become durable only by a sync; crash() keeps a seeded choice of what was not synced, tears
// writes at sector and page bounds, and loses or keeps names. Faults are set per run.
//
// One simulated machine; thread-safe (one lock), deterministic when used by one thread: the same
// seed and the same calls give the same images.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/io/disk.h"

namespace sim {

struct DiskFaults {
  // Fails the operation with this number (counted by SimDisk::operations()) with EIO; a write that
  // fails has written a random part of itself.
  std::optional<std::uint64_t> fail_operation;
  int fail_code = 5;  // EIO
  // Fails the sync (of a file, directory or file system) with this number, counted by
  // SimDisk::syncs(); unsynced data of the file is then lost at the next crash, as the page cache
  // has dropped it, whatever is synced later.
  std::optional<std::uint64_t> fail_sync;
  // Bytes that fit; writes beyond it fail with ENOSPC, after a part of them may have been written.
  std::optional<std::uint64_t> capacity_bytes;
  // Everything at or below these paths fails with EIO, reading too: a disk among several that died.
  std::set<std::string> dead;
  // Syncs answer success and do nothing: a lying disk. For checking the checkers.
  bool lying_sync = false;
  bool lying_directory_sync = false;
  // What no process has read or written since the last crash or kill is not in memory:
  // read_cached_at() fails with EAGAIN until prefetch() or read_at().
  bool cold_reads = false;
};

class SimDisk final : public io::Disk {
 public:
  explicit SimDisk(std::uint64_t seed);
  ~SimDisk() override;

  DiskFaults faults;

  // Mutating operations so far (write, truncate, reserve, create, rename, remove, sync, ...): the
  // index at which a test can stop the machine.
  std::uint64_t operations() const;
  std::uint64_t syncs() const;
  // The machine stops just before operation `index` happens: that one and all later ones fail with
  // ECANCELED and change nothing. A write is torn: a random part of it happens.
  void stop_at(std::optional<std::uint64_t> index);
  bool stopped() const;

  // Power is lost. Every open File fails from now on (ESTALE), locks are released, the durable
  // image plus a seeded choice of what was not synced becomes what there is.
  void crash();
  // The process is killed, the machine goes on: nothing is lost, only locks and open files.
  void kill_process();

  // Another machine with the same durable image, for trying something twice. Faults are not copied.
  std::unique_ptr<SimDisk> clone(std::uint64_t seed) const;

  // Called before each mutating operation with its name and path (traces, latency models).
  std::function<void(std::string_view operation, const std::string& path)> on_operation;

  // Called when an operation finds that the machine has stopped (stop_at()), within it: must only
  // take note of it.
  std::function<void()> on_stopped;

  // A hash of what processes see: names and contents.
  std::uint64_t digest() const;
  // Names of all files, sorted; for checkers.
  std::vector<std::string> files() const;
  // Damages a durable byte (bit rot).
  void flip_bit(const std::string& path, std::uint64_t position, int bit);

  io::IoResult<std::shared_ptr<io::File>> open(const std::string& path, io::OpenMode mode) override;
  bool exists(const std::string& path) const override;
  io::IoResult<std::vector<io::DirectoryEntry>> list(const std::string& directory) const override;
  io::IoResult<void> make_directory(const std::string& path) override;
  io::IoResult<void> make_directories(const std::string& path) override;
  io::IoResult<void> rename(const std::string& from, const std::string& to) override;
  io::IoResult<void> remove(const std::string& path) override;
  io::IoResult<void> remove_all(const std::string& path) override;
  io::IoResult<void> sync_directory(const std::string& directory) override;
  io::IoResult<void> sync_filesystem(const std::string& path) override;
  io::IoResult<io::Space> space(const std::string& path) const override;
  io::IoResult<std::unique_ptr<io::DirectoryLock>> lock(const std::string& directory) override;

 private:
  struct State;
  class SimFile;
  class SimLock;
  std::shared_ptr<State> state_;
};

}  // namespace sim
