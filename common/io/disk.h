// Seam: files and directories. Every call blocks for as long as the medium takes and may be made
// from any thread; who may call what where is decided above (appends on a reactor, syncs and cold
// reads through Executor::blocking). Real: host/posix_disk; simulated with crashes, torn writes and
// faults: tests/sim/sim_disk.
//
// Durability is what POSIX gives: written bytes survive power loss only after sync_data(), a new,
// renamed or removed name only after sync_dir() of its parent. A failed sync means that everything
// since the last good one may be gone: callers never retry it as success.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/io/error.h"

namespace io {

// One open file. Positioned I/O only; safe to share between threads.
class File {
 public:
  virtual ~File() = default;

  // Writes all parts one after the other at `position`, or fails. After a failure any prefix may
  // have been written.
  virtual IoResult<void> write_at(std::span<const base::BytesView> parts,
                                  std::uint64_t position) = 0;
  IoResult<void> write_at(base::BytesView bytes, std::uint64_t position) {
    return write_at(std::span<const base::BytesView>(&bytes, 1), position);
  }
  // Reads up to out.size() bytes; fewer only at the end of the file.
  virtual IoResult<std::size_t> read_at(base::MutableBytes out, std::uint64_t position) const = 0;
  // As read_at, but only what is in the page cache: fails with EAGAIN when the medium is needed.
  virtual IoResult<std::size_t> read_cached_at(base::MutableBytes out,
                                               std::uint64_t position) const = 0;
  // Asks for [position, position + length) to be brought into the page cache. Blocks.
  virtual void prefetch(std::uint64_t position, std::uint64_t length) const = 0;
  // fdatasync.
  virtual IoResult<void> sync_data() = 0;
  virtual IoResult<void> truncate(std::uint64_t size) = 0;
  // Reserves blocks up to `size` without changing the file's size. A refusal (EOPNOTSUPP) is fine.
  virtual IoResult<void> reserve(std::uint64_t size) = 0;
  virtual IoResult<std::uint64_t> size() const = 0;
  // Descriptor for sendfile, or -1 where there is none (simulator).
  virtual int native_handle() const = 0;
};

enum class OpenMode {
  kRead,         // must exist
  kReadWrite,    // must exist
  kCreate,       // read-write, created when missing
  kCreateEmpty,  // read-write, created or truncated to nothing
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for an unprivileged process
};

// Held for as long as a process uses a directory.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

class Disk {
 public:
  virtual ~Disk() = default;

  virtual IoResult<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual bool exists(const std::string& path) const = 0;
  // Sorted by name.
  virtual IoResult<std::vector<DirectoryEntry>> list(const std::string& directory) const = 0;
  // In a directory that exists. EEXIST: there is something of this name.
  virtual IoResult<void> make_directory(const std::string& path) = 0;
  // With all above it; those that exist are fine.
  virtual IoResult<void> make_directories(const std::string& path) = 0;
  virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
  virtual IoResult<void> remove(const std::string& path) = 0;      // a file
  virtual IoResult<void> remove_all(const std::string& path) = 0;  // a tree; missing is fine
  // Makes the names in a directory durable.
  virtual IoResult<void> sync_directory(const std::string& directory) = 0;
  // Makes everything on the file system that holds `path` durable (syncfs).
  virtual IoResult<void> sync_filesystem(const std::string& path) = 0;
  virtual IoResult<Space> space(const std::string& path) const = 0;
  // Fails with EWOULDBLOCK when another process (or node of the simulation) holds it.
  virtual IoResult<std::unique_ptr<DirectoryLock>> lock(const std::string& directory) = 0;

  // Whole-file conveniences built on the above.
  IoResult<std::string> read_file(const std::string& path);
  // Replaces `path` atomically and durably: temporary file, sync, rename, sync of the directory.
  IoResult<void> replace_file(const std::string& path, std::string_view content);
};

}  // namespace io
