#include "common/host/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "common/host/descriptor.h"

namespace host {
namespace {

constexpr std::size_t kPartsMax = 1024;  // IOV_MAX

std::unexpected<io::IoError> failure(const char* operation, const std::string& path, int code) {
  return io::io_failure(
      code, std::string(operation) + " " + path + ": " + std::generic_category().message(code));
}

// The result of a call that gives 0 or -1, made again when interrupted.
template <class Call>
io::IoResult<void> check(const char* operation, const std::string& path, Call call) {
  int result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  if (result < 0) return failure(operation, path, errno);
  return {};
}

class PosixFile final : public io::File {
 public:
  PosixFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  io::IoResult<void> write_at(std::span<const base::BytesView> parts,
                              std::uint64_t position) override;
  using io::File::write_at;
  io::IoResult<std::size_t> read_at(base::MutableBytes out, std::uint64_t position) const override {
    return read(out, position, 0);
  }
  io::IoResult<std::size_t> read_cached_at(base::MutableBytes out,
                                           std::uint64_t position) const override {
    return read(out, position, RWF_NOWAIT);
  }
  void prefetch(std::uint64_t position, std::uint64_t length) const override {
    // Only advice: a refusal shows when the bytes are read.
    readahead(file_.get(), static_cast<off64_t>(position), length);
  }
  io::IoResult<void> sync_data() override {
    return check("fdatasync", path_, [&] { return fdatasync(file_.get()); });
  }
  io::IoResult<void> truncate(std::uint64_t size) override {
    return check("ftruncate", path_,
                 [&] { return ftruncate(file_.get(), static_cast<off_t>(size)); });
  }
  io::IoResult<void> reserve(std::uint64_t size) override;
  io::IoResult<std::uint64_t> size() const override;
  int native_handle() const override { return file_.get(); }

 private:
  io::IoResult<std::size_t> read(base::MutableBytes out, std::uint64_t position, int flags) const;

  const Descriptor file_;
  const std::string path_;
};

// The parts of a write, consumed from the front. A window of at most kPartsMax goes to one call.
class Parts {
 public:
  explicit Parts(std::span<const base::BytesView> parts) : parts_(parts) {}

  std::span<const iovec> window() {
    std::size_t count = 0;
    std::size_t skip = done_;
    for (std::size_t i = first_; i < parts_.size() && count < kPartsMax; ++i) {
      const base::BytesView rest = parts_[i].subspan(skip);
      skip = 0;
      if (rest.empty()) continue;
      window_[count++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    return {window_.data(), count};
  }
  void advance(std::size_t bytes) {
    while (first_ < parts_.size() && bytes >= parts_[first_].size() - done_) {
      bytes -= parts_[first_].size() - done_;
      ++first_;
      done_ = 0;
    }
    done_ += bytes;
  }

 private:
  std::span<const base::BytesView> parts_;
  std::size_t first_ = 0;
  std::size_t done_ = 0;  // of the first
  std::array<iovec, kPartsMax> window_;
};

io::IoResult<void> PosixFile::write_at(std::span<const base::BytesView> parts,
                                       std::uint64_t position) {
  for (Parts left(parts);;) {
    const auto window = left.window();
    if (window.empty()) return {};
    const ssize_t count = pwritev(file_.get(), window.data(), static_cast<int>(window.size()),
                                  static_cast<off_t>(position));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("write", path_, errno);
    if (count == 0) return failure("write", path_, ENOSPC);  // no progress without a reason
    left.advance(static_cast<std::size_t>(count));
    position += static_cast<std::uint64_t>(count);
  }
}

io::IoResult<std::size_t> PosixFile::read(base::MutableBytes out, std::uint64_t position,
                                          int flags) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const iovec part{out.data() + done, out.size() - done};
    const ssize_t count =
        preadv2(file_.get(), &part, 1, static_cast<off_t>(position + done), flags);
    if (count < 0 && errno == EINTR) continue;
    // A file system that cannot tell what is cached is treated as if nothing were.
    if (count < 0 && errno == EOPNOTSUPP && flags != 0) return failure("read", path_, EAGAIN);
    if (count < 0) return failure("read", path_, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

io::IoResult<void> PosixFile::reserve(std::uint64_t size) {
  return check("fallocate", path_, [&] {
    return fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size));
  });
}

io::IoResult<std::uint64_t> PosixFile::size() const {
  struct stat status{};
  if (fstat(file_.get(), &status) != 0) return failure("stat", path_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

int flags_of(io::OpenMode mode) {
  switch (mode) {
    case io::OpenMode::kRead:
      return O_RDONLY;
    case io::OpenMode::kReadWrite:
      return O_RDWR;
    case io::OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case io::OpenMode::kCreateEmpty:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  std::unreachable();
}

io::IoResult<Descriptor> open_at(const char* operation, const std::string& path, int flags) {
  int number;
  do {
    number = open(path.c_str(), flags | O_CLOEXEC, 0640);
  } while (number < 0 && errno == EINTR);
  if (number < 0) return failure(operation, path, errno);
  return Descriptor(number);
}

class LockFile final : public io::DirectoryLock {
 public:
  explicit LockFile(Descriptor file) : file_(std::move(file)) {}

 private:
  Descriptor file_;  // the lock ends with it; the file stays, or two could hold two files
};

}  // namespace

io::IoResult<std::shared_ptr<io::File>> PosixDisk::open(const std::string& path,
                                                        io::OpenMode mode) {
  auto file = open_at("open", path, flags_of(mode));
  if (!file) return std::unexpected(file.error());
  return std::make_shared<PosixFile>(std::move(*file), path);
}

bool PosixDisk::exists(const std::string& path) const { return access(path.c_str(), F_OK) == 0; }

io::IoResult<std::vector<io::DirectoryEntry>> PosixDisk::list(const std::string& directory) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> open_directory(opendir(directory.c_str()), &closedir);
  if (open_directory == nullptr) return failure("list", directory, errno);
  std::vector<io::DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(open_directory.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat status{};
      is_directory =
          stat((directory + "/" + name).c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    }
    entries.push_back({name, is_directory});
  }
  if (errno != 0) return failure("list", directory, errno);
  std::ranges::sort(entries, {}, &io::DirectoryEntry::name);
  return entries;
}

io::IoResult<void> PosixDisk::make_directory(const std::string& path) {
  return check("mkdir", path, [&] { return mkdir(path.c_str(), 0777); });
}

io::IoResult<void> PosixDisk::make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return failure("mkdir", path, error.value());
  return {};
}

io::IoResult<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  return check("rename", from + " to " + to, [&] { return ::rename(from.c_str(), to.c_str()); });
}

io::IoResult<void> PosixDisk::remove(const std::string& path) {
  return check("remove", path, [&] { return unlink(path.c_str()); });
}

io::IoResult<void> PosixDisk::remove_all(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return failure("remove", path, error.value());
  return {};
}

io::IoResult<void> PosixDisk::sync_directory(const std::string& directory) {
  const auto file = open_at("open", directory, O_RDONLY | O_DIRECTORY);
  if (!file) return std::unexpected(file.error());
  return check("fsync", directory, [&] { return fsync(file->get()); });
}

io::IoResult<void> PosixDisk::sync_filesystem(const std::string& path) {
  const auto file = open_at("open", path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  return check("syncfs", path, [&] { return syncfs(file->get()); });
}

io::IoResult<io::Space> PosixDisk::space(const std::string& path) const {
  struct statvfs status{};
  const auto asked = check("statvfs", path, [&] { return statvfs(path.c_str(), &status); });
  if (!asked) return std::unexpected(asked.error());
  return io::Space{status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize};
}

io::IoResult<std::unique_ptr<io::DirectoryLock>> PosixDisk::lock(const std::string& directory) {
  const std::string path = directory + "/.lock";
  auto file = open_at("lock", path, O_RDWR | O_CREAT);
  if (!file) return std::unexpected(file.error());
  if (flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    const int code = errno;
    std::array<char, 16> pid{};
    const ssize_t count = pread(file->get(), pid.data(), pid.size(), 0);
    std::string holder(pid.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return io::io_failure(code, "lock " + directory + ": in use by the process with pid " +
                                    (holder.empty() ? "(unknown)" : holder));
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(file->get(), 0) != 0 ||
      pwrite(file->get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    // The pid is only for people: a full disk must not keep us from starting.
  }
  return std::make_unique<LockFile>(std::move(*file));
}

}  // namespace host
