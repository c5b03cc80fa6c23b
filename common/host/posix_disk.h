// io::Disk over POSIX files. Stateless and thread-safe; every call may block. Errors carry errno
// and "operation path: reason". Interrupted and short transfers are continued, so a write either
// covers all its bytes or fails.
#pragma once

#include "common/io/disk.h"

namespace host {

class PosixDisk final : public io::Disk {
 public:
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
  // Takes flock on `directory/.lock` and writes our pid into it; a refusal names the holder's pid.
  io::IoResult<std::unique_ptr<io::DirectoryLock>> lock(const std::string& directory) override;
};

}  // namespace host
