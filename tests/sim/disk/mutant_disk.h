// A disk that forgets one kind of call, in front of another disk: for checking the checkers.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "common/io/disk.h"

namespace sim {

struct MutantDiskOptions {
  bool truncate_does_nothing = false;
  std::string keeps;        // files whose path ends so are never removed
  std::string never_syncs;  // nor synced, those that end so
  std::string hides;        // nor found
};

class MutantDisk final : public io::Disk {
 public:
  MutantDisk(io::Disk& disk, MutantDiskOptions options)
      : disk_(disk), options_(std::move(options)) {}

  io::IoResult<std::shared_ptr<io::File>> open(const std::string& path,
                                               io::OpenMode mode) override {
    if (!options_.hides.empty() && path.ends_with(options_.hides) && mode == io::OpenMode::kRead) {
      return io::io_failure(ENOENT, path + " is hidden");
    }
    auto file = disk_.open(path, mode);
    const bool unsynced = !options_.never_syncs.empty() && path.ends_with(options_.never_syncs);
    if (!file || (!options_.truncate_does_nothing && !unsynced)) return file;
    return std::make_shared<Wrapped>(std::move(*file), unsynced, options_.truncate_does_nothing);
  }
  bool exists(const std::string& path) const override { return disk_.exists(path); }
  io::IoResult<std::vector<io::DirectoryEntry>> list(const std::string& path) const override {
    return disk_.list(path);
  }
  io::IoResult<void> make_directory(const std::string& path) override {
    return disk_.make_directory(path);
  }
  io::IoResult<void> make_directories(const std::string& path) override {
    return disk_.make_directories(path);
  }
  io::IoResult<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  io::IoResult<void> remove(const std::string& path) override {
    if (!options_.keeps.empty() && path.ends_with(options_.keeps)) return {};
    return disk_.remove(path);
  }
  io::IoResult<void> remove_all(const std::string& path) override { return disk_.remove_all(path); }
  io::IoResult<void> sync_directory(const std::string& path) override {
    return disk_.sync_directory(path);
  }
  io::IoResult<void> sync_filesystem(const std::string& path) override {
    return disk_.sync_filesystem(path);
  }
  io::IoResult<io::Space> space(const std::string& path) const override {
    return disk_.space(path);
  }
  io::IoResult<std::unique_ptr<io::DirectoryLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }

 private:
  class Wrapped final : public io::File {
   public:
    Wrapped(std::shared_ptr<io::File> file, bool unsynced, bool uncut)
        : file_(std::move(file)), unsynced_(unsynced), uncut_(uncut) {}
    io::IoResult<void> write_at(std::span<const base::BytesView> parts,
                                std::uint64_t position) override {
      return file_->write_at(parts, position);
    }
    io::IoResult<std::size_t> read_at(base::MutableBytes out,
                                      std::uint64_t position) const override {
      return file_->read_at(out, position);
    }
    io::IoResult<std::size_t> read_cached_at(base::MutableBytes out,
                                             std::uint64_t position) const override {
      return file_->read_cached_at(out, position);
    }
    void prefetch(std::uint64_t position, std::uint64_t length) const override {
      file_->prefetch(position, length);
    }
    io::IoResult<void> sync_data() override {
      return unsynced_ ? io::IoResult<void>() : file_->sync_data();
    }
    io::IoResult<void> truncate(std::uint64_t size) override {
      return uncut_ ? io::IoResult<void>() : file_->truncate(size);
    }
    io::IoResult<void> reserve(std::uint64_t size) override { return file_->reserve(size); }
    io::IoResult<std::uint64_t> size() const override { return file_->size(); }
    int native_handle() const override { return file_->native_handle(); }

   private:
    std::shared_ptr<io::File> file_;
    const bool unsynced_;
    const bool uncut_;
  };

  io::Disk& disk_;
  const MutantDiskOptions options_;
};

}  // namespace sim
