#include "tests/sim/disk/sim_disk.h"

#include <algorithm>
#include <cerrno>

#include "tests/sim/disk/sim_state.h"

namespace sim {

using io::IoResult;
using Inode = SimState::Inode;

class SimDisk::SimFile final : public io::File {
 public:
  SimFile(std::shared_ptr<State> state, std::shared_ptr<Inode> inode, std::string path,
          bool writable)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        generation_(state_->generation),
        writable_(writable) {}

  IoResult<void> write_at(std::span<const base::BytesView> parts, std::uint64_t position) override {
    std::size_t count = 0;
    for (base::BytesView part : parts) count += part.size();
    state_->announce("write", path_);
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(true); !dead) return dead;
    const auto verdict = state_->begin_operation();
    if (verdict != 0) {
      const std::size_t done = state_->random.below(count + 1);
      state_->write(*inode_, first_of(parts, done), position);
      return io::io_failure(verdict, "write " + path_);
    }
    const std::uint64_t fits = state_->fitting(*inode_, position, count);
    state_->write(*inode_, first_of(parts, fits), position);
    if (fits < count) return io::io_failure(ENOSPC, "write " + path_);
    return {};
  }

  IoResult<std::size_t> read_at(base::MutableBytes out, std::uint64_t position) const override {
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(false); !dead) return std::unexpected(dead.error());
    inode_->warm = true;
    return copy(out, position);
  }

  IoResult<std::size_t> read_cached_at(base::MutableBytes out,
                                       std::uint64_t position) const override {
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(false); !dead) return std::unexpected(dead.error());
    if (state_->faults->cold_reads && !inode_->warm) {
      return io::io_failure(EAGAIN, "read " + path_);
    }
    return copy(out, position);
  }

  void prefetch(std::uint64_t, std::uint64_t) const override {
    std::lock_guard lock(state_->mutex);
    inode_->warm = true;
  }

  IoResult<void> sync_data() override {
    state_->announce("sync", path_);
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(false); !dead) return dead;
    if (const int failed = state_->begin_sync()) {
      if (failed != ECANCELED) state_->drop_unsynced(*inode_);
      return io::io_failure(failed, "sync " + path_);
    }
    if (!state_->faults->lying_sync) state_->make_durable(*inode_);
    return {};
  }

  IoResult<void> truncate(std::uint64_t size) override {
    state_->announce("truncate", path_);
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(true); !dead) return dead;
    if (const int failed = state_->begin_operation()) {
      return io::io_failure(failed, "truncate " + path_);
    }
    state_->truncate(*inode_, size);
    return {};
  }

  IoResult<void> reserve(std::uint64_t) override { return {}; }

  IoResult<std::uint64_t> size() const override {
    std::lock_guard lock(state_->mutex);
    if (auto dead = check(false); !dead) return std::unexpected(dead.error());
    return inode_->data.size();
  }

  int native_handle() const override { return -1; }

 private:
  static base::Bytes first_of(std::span<const base::BytesView> parts, std::size_t count) {
    base::Bytes bytes;
    bytes.reserve(count);
    for (base::BytesView part : parts) {
      part = part.first(std::min(part.size(), count - bytes.size()));
      bytes.insert(bytes.end(), part.begin(), part.end());
    }
    return bytes;
  }
  IoResult<void> check(bool writing) const {
    if (generation_ != state_->generation) {
      return io::io_failure(ESTALE, path_ + ": opened before the crash");
    }
    if (state_->is_dead(path_)) return io::io_failure(EIO, path_ + ": the disk is dead");
    if (writing && !writable_) return io::io_failure(EBADF, path_ + ": opened for reading");
    return {};
  }
  std::size_t copy(base::MutableBytes out, std::uint64_t position) const {
    if (position >= inode_->data.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), inode_->data.size() - position);
    std::copy_n(inode_->data.begin() + static_cast<std::ptrdiff_t>(position), count, out.begin());
    return count;
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const std::uint64_t generation_;
  const bool writable_;
};

class SimDisk::SimLock final : public io::DirectoryLock {
 public:
  SimLock(std::shared_ptr<State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), generation_(state_->generation) {}
  ~SimLock() override {
    std::lock_guard lock(state_->mutex);
    if (generation_ == state_->generation) state_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::string path_;
  const std::uint64_t generation_;
};

SimDisk::SimDisk(std::uint64_t seed)
    : state_(std::make_shared<State>(seed, &faults, &on_operation, &on_stopped)) {}
SimDisk::~SimDisk() = default;

std::uint64_t SimDisk::operations() const {
  std::lock_guard lock(state_->mutex);
  return state_->operations;
}
std::uint64_t SimDisk::syncs() const {
  std::lock_guard lock(state_->mutex);
  return state_->syncs;
}
void SimDisk::stop_at(std::optional<std::uint64_t> index) {
  std::lock_guard lock(state_->mutex);
  state_->stop_at = index;
}
bool SimDisk::stopped() const {
  std::lock_guard lock(state_->mutex);
  return state_->stop_at && state_->operations > *state_->stop_at;
}
void SimDisk::crash() {
  std::lock_guard lock(state_->mutex);
  state_->crash();
}
void SimDisk::kill_process() {
  std::lock_guard lock(state_->mutex);
  state_->end_process();
}
std::unique_ptr<SimDisk> SimDisk::clone(std::uint64_t seed) const {
  auto copy = std::make_unique<SimDisk>(seed);
  std::lock_guard lock(state_->mutex);
  copy->state_->root = state_->copy_durable(*state_->root);
  return copy;
}
std::uint64_t SimDisk::digest() const {
  std::lock_guard lock(state_->mutex);
  return state_->digest();
}
std::vector<std::string> SimDisk::files() const {
  std::lock_guard lock(state_->mutex);
  return state_->files();
}
void SimDisk::flip_bit(const std::string& path, std::uint64_t position, int bit) {
  std::lock_guard lock(state_->mutex);
  const auto inode = state_->find(path);
  const auto mask = static_cast<std::byte>(1 << bit);
  if (inode && position < inode->data.size()) inode->data[position] ^= mask;
  if (inode && position < inode->durable.size()) inode->durable[position] ^= mask;
}

IoResult<std::shared_ptr<io::File>> SimDisk::open(const std::string& path, io::OpenMode mode) {
  const bool creates = mode == io::OpenMode::kCreate || mode == io::OpenMode::kCreateEmpty;
  if (creates) state_->announce("open", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  auto inode = state_->find(path);
  if (inode && inode->is_directory) return io::io_failure(EISDIR, "open " + path);
  if (!inode && !creates) return io::io_failure(ENOENT, "open " + path);
  if (!inode) {
    const auto parent = state_->find(SimState::parent_of(path));
    if (!parent || !parent->is_directory) return io::io_failure(ENOENT, "open " + path);
    if (const int failed = state_->begin_operation()) return io::io_failure(failed, "open " + path);
    if (state_->is_full()) return io::io_failure(ENOSPC, "open " + path);
    inode = std::make_shared<Inode>();
    inode->warm = true;
    state_->link(*parent, SimState::name_of(path), inode);
  } else if (mode == io::OpenMode::kCreateEmpty && !inode->data.empty()) {
    if (const int failed = state_->begin_operation()) return io::io_failure(failed, "open " + path);
    state_->truncate(*inode, 0);
  }
  return std::make_shared<SimFile>(state_, inode, path, mode != io::OpenMode::kRead);
}

bool SimDisk::exists(const std::string& path) const {
  std::lock_guard lock(state_->mutex);
  return !state_->is_dead(path) && state_->find(path) != nullptr;
}

IoResult<std::vector<io::DirectoryEntry>> SimDisk::list(const std::string& directory) const {
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(directory)) return io::io_failure(EIO, directory + ": the disk is dead");
  const auto inode = state_->find(directory);
  if (!inode) return io::io_failure(ENOENT, "list " + directory);
  if (!inode->is_directory) return io::io_failure(ENOTDIR, "list " + directory);
  std::vector<io::DirectoryEntry> entries;
  for (const auto& [name, child] : inode->entries) entries.push_back({name, child->is_directory});
  return entries;
}

IoResult<void> SimDisk::make_directory(const std::string& path) {
  state_->announce("mkdir", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  if (state_->find(path)) return io::io_failure(EEXIST, "mkdir " + path);
  const auto parent = state_->find(SimState::parent_of(path));
  if (!parent || !parent->is_directory) return io::io_failure(ENOENT, "mkdir " + path);
  if (const int failed = state_->begin_operation()) return io::io_failure(failed, "mkdir " + path);
  auto made = std::make_shared<Inode>();
  made->is_directory = true;
  state_->link(*parent, SimState::name_of(path), made);
  return {};
}

IoResult<void> SimDisk::make_directories(const std::string& path) {
  state_->announce("mkdir", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  auto at = state_->root;
  for (const std::string& name : SimState::split(path)) {
    auto it = at->entries.find(name);
    if (it == at->entries.end()) {
      if (const int failed = state_->begin_operation()) {
        return io::io_failure(failed, "mkdir " + path);
      }
      auto made = std::make_shared<Inode>();
      made->is_directory = true;
      state_->link(*at, name, made);
      it = at->entries.find(name);
    }
    if (!it->second->is_directory) return io::io_failure(ENOTDIR, "mkdir " + path);
    at = it->second;
  }
  return {};
}

IoResult<void> SimDisk::rename(const std::string& from, const std::string& to) {
  state_->announce("rename", to);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(from)) return io::io_failure(EIO, from + ": the disk is dead");
  const auto inode = state_->find(from);
  const auto source = state_->find(SimState::parent_of(from));
  const auto target = state_->find(SimState::parent_of(to));
  if (!inode || !target) return io::io_failure(ENOENT, "rename " + from);
  if (const int failed = state_->begin_operation()) return io::io_failure(failed, "rename " + from);
  if (source == target) {
    state_->rename(*source, SimState::name_of(from), SimState::name_of(to));
  } else {
    state_->link(*target, SimState::name_of(to), inode);
    state_->unlink(*source, SimState::name_of(from));
  }
  return {};
}

IoResult<void> SimDisk::remove(const std::string& path) {
  state_->announce("remove", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  const auto inode = state_->find(path);
  if (!inode) return io::io_failure(ENOENT, "remove " + path);
  if (inode->is_directory) return io::io_failure(EISDIR, "remove " + path);
  if (const int failed = state_->begin_operation()) return io::io_failure(failed, "remove " + path);
  state_->unlink(*state_->find(SimState::parent_of(path)), SimState::name_of(path));
  return {};
}

IoResult<void> SimDisk::remove_all(const std::string& path) {
  state_->announce("remove_all", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  const auto inode = state_->find(path);
  if (!inode) return {};
  if (const int failed = state_->remove_tree(path, *inode)) {
    return io::io_failure(failed, "remove " + path);
  }
  return {};
}

IoResult<void> SimDisk::sync_directory(const std::string& directory) {
  state_->announce("sync_directory", directory);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(directory)) return io::io_failure(EIO, directory + ": the disk is dead");
  const auto inode = state_->find(directory);
  if (!inode || !inode->is_directory) return io::io_failure(ENOENT, "sync " + directory);
  if (const int failed = state_->begin_sync()) {
    return io::io_failure(failed, "sync " + directory);
  }
  if (!faults.lying_directory_sync) state_->make_names_durable(*inode);
  return {};
}

IoResult<void> SimDisk::sync_filesystem(const std::string& path) {
  state_->announce("sync_filesystem", path);
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  if (const int failed = state_->begin_sync()) {
    if (failed != ECANCELED) state_->drop_all_unsynced(*state_->root);
    return io::io_failure(failed, "sync " + path);
  }
  state_->sync_tree(*state_->root);
  return {};
}

IoResult<io::Space> SimDisk::space(const std::string& path) const {
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(path)) return io::io_failure(EIO, path + ": the disk is dead");
  if (!state_->find(path)) return io::io_failure(ENOENT, "space " + path);
  const std::uint64_t total = faults.capacity_bytes.value_or(std::uint64_t{1} << 40);
  const std::uint64_t used = state_->used(*state_->root);
  return io::Space{total, total > used ? total - used : 0};
}

IoResult<std::unique_ptr<io::DirectoryLock>> SimDisk::lock(const std::string& directory) {
  std::lock_guard lock(state_->mutex);
  if (state_->is_dead(directory)) return io::io_failure(EIO, directory + ": the disk is dead");
  if (!state_->find(directory)) return io::io_failure(ENOENT, "lock " + directory);
  if (!state_->locks.insert(directory).second) {
    return io::io_failure(EWOULDBLOCK, directory + " is in use");
  }
  return std::make_unique<SimLock>(state_, directory);
}

}  // namespace sim
