// Bounds the descriptors that partition logs keep open (the hard limit of a process can be
// 20,000): the least recently used file is closed when another is opened. Thread-safe. The lock of
// a shard is never held over a call to the disk.
//
// A closed entry's File lives on for as long as somebody (a slice being sent, a flush) holds it.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/io/disk.h"

namespace broker {

class FileCache;

// One file that can be opened again at any time. Any thread. Destroying it closes the file.
class CachedFile {
 public:
  CachedFile(FileCache& cache, std::string path);
  ~CachedFile();
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;

  // The open file, opened when it is not (read-write, must exist).
  io::IoResult<std::shared_ptr<io::File>> get();
  // Hands over a file that the caller has just opened or created.
  void put(std::shared_ptr<io::File> file);
  // The file if it is open; never opens.
  std::shared_ptr<io::File> peek();
  void close();
  // Opens the file and keeps it open for the life of this object, or until close(), whatever
  // becomes of its name.
  io::IoResult<void> pin();
  std::string path() const;
  // The file was renamed (to .deleted): later opens use the new name.
  void renamed(std::string path);

 private:
  friend class FileCache;
  FileCache& cache_;
  // Guarded by the cache's shard lock.
  std::string path_;
  std::shared_ptr<io::File> file_;
  std::shared_ptr<io::File> pinned_;
  std::list<CachedFile*>::iterator place_;
  bool used_ = false;  // since the last close_idle()
};

class FileCache {
 public:
  static constexpr std::size_t kDefaultOpenMax = 8192;
  explicit FileCache(io::Disk& disk, std::size_t open_max = kDefaultOpenMax);
  ~FileCache();

  std::size_t open_count() const;
  // Closes what has not been used since the call before: an idle partition keeps no descriptor.
  // The owner calls it every so often. Returns how many were closed.
  std::size_t close_idle();

 private:
  friend class CachedFile;
  static constexpr std::size_t kShards = 8;
  struct Shard {
    mutable std::mutex mutex;
    std::list<CachedFile*> used;  // the open ones, most recently used first
  };
  Shard& shard_of(const CachedFile* file);

  const std::size_t open_max_per_shard_;
  io::Disk& disk_;
  std::array<Shard, kShards> shards_;
};

}  // namespace broker
