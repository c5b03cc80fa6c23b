#include "broker/log/upkeep.h"

#include <cerrno>

#include "broker/log/full_disk.h"

namespace broker {
namespace {

io::IoResult<std::shared_ptr<io::File>> write(io::Disk& disk, const Upkeep::SideFile& side) {
  auto file = disk.open(side.path, io::OpenMode::kCreate);
  if (!file) return std::unexpected(file.error());
  if (!side.content.empty()) {
    if (auto wrote = (*file)->write_at(base::BytesView(side.content), side.position); !wrote) {
      return std::unexpected(wrote.error());
    }
  }
  // What stands behind belongs to another time.
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  const std::uint64_t end = side.position + side.content.size();
  if (*size > end) {
    if (auto cut = (*file)->truncate(end); !cut) return std::unexpected(cut.error());
  }
  return std::move(*file);
}

}  // namespace

io::IoResult<void> write_side_files(io::Disk& disk, const std::string& directory,
                                    const std::vector<Upkeep::SideFile>& sides) {
  if (sides.empty()) return {};
  for (const Upkeep::SideFile& side : sides) {
    auto file = write(disk, side);
    if (!file) return std::unexpected(file.error());
    if (auto synced = (*file)->sync_data(); !synced) return synced;
  }
  return disk.sync_directory(directory);
}

namespace {

io::IoResult<void> remove_obsolete(const Upkeep& upkeep, io::Disk& disk) {
  for (const std::string& path : upkeep.obsolete) {
    if (auto removed = disk.remove(path); !removed && removed.error().code != ENOENT) {
      return removed;
    }
  }
  return {};
}

// A full disk passes, and a partition that was deleted needs nothing any more.
bool may_skip(const io::IoError& error) { return is_full_disk(error) || error.code == ENOENT; }

io::IoResult<void> run_all(const Upkeep& upkeep, io::Disk& disk) {
  if (auto wrote = write_side_files(disk, upkeep.directory, upkeep.indexes); !wrote) return wrote;
  if (upkeep.epochs) {
    const std::string path = upkeep.directory + "/leader-epoch-checkpoint";
    if (auto wrote = disk.replace_file(path, *upkeep.epochs); !wrote) return wrote;
  }
  if (auto wrote = write_side_files(disk, upkeep.directory, upkeep.snapshots); !wrote) return wrote;
  return remove_obsolete(upkeep, disk);
}

io::IoResult<void> write_unsynced(io::Disk& disk, const std::vector<Upkeep::SideFile>& sides) {
  for (const Upkeep::SideFile& side : sides) {
    if (auto file = write(disk, side); !file) return std::unexpected(file.error());
  }
  return {};
}

}  // namespace

io::IoResult<void> Upkeep::run(io::Disk& disk) {
  std::lock_guard lock(running_);
  if (state.load(std::memory_order_relaxed) != State::kPending) return {};
  const auto result = run_all(*this, disk);
  if (result) {
    state.store(State::kDone, std::memory_order_release);
    return {};
  }
  state.store(State::kSkipped, std::memory_order_release);
  return may_skip(result.error()) ? io::IoResult<void>{} : result;
}

io::IoResult<void> Upkeep::run_together(io::Disk& disk, const std::string& path,
                                        std::span<const std::shared_ptr<Upkeep>> upkeeps) {
  std::vector<std::unique_lock<std::mutex>> locks;
  std::vector<Upkeep*> under_way;
  for (const auto& upkeep : upkeeps) {
    std::unique_lock lock(upkeep->running_);
    if (upkeep->state.load(std::memory_order_relaxed) != State::kPending) continue;
    locks.push_back(std::move(lock));
    under_way.push_back(upkeep.get());
  }
  const auto skip_all = [&](const io::IoError& error) -> io::IoResult<void> {
    for (Upkeep* upkeep : under_way) upkeep->state.store(State::kSkipped);
    return may_skip(error) ? io::IoResult<void>{} : std::unexpected(error);
  };
  // One step for all of them; who cannot do it drops out.
  const auto step = [&](auto work) -> io::IoResult<void> {
    std::vector<Upkeep*> left;
    for (Upkeep* upkeep : under_way) {
      const io::IoResult<void> done = work(*upkeep);
      if (!done && !may_skip(done.error())) return done;
      if (!done) upkeep->state.store(State::kSkipped);
      if (done) left.push_back(upkeep);
    }
    under_way = std::move(left);
    return under_way.empty() ? io::IoResult<void>{} : disk.sync_filesystem(path);
  };
  const auto indexes = step([&](const Upkeep& upkeep) -> io::IoResult<void> {
    if (upkeep.epochs) {
      const std::string file = upkeep.directory + "/leader-epoch-checkpoint";
      if (auto wrote = disk.replace_file(file, *upkeep.epochs); !wrote) return wrote;
    }
    return write_unsynced(disk, upkeep.indexes);
  });
  if (!indexes) return skip_all(indexes.error());
  const auto snapshots =
      step([&](const Upkeep& upkeep) { return write_unsynced(disk, upkeep.snapshots); });
  if (!snapshots) return skip_all(snapshots.error());
  for (Upkeep* upkeep : under_way) {
    const auto removed = remove_obsolete(*upkeep, disk);
    if (!removed && !may_skip(removed.error())) return skip_all(removed.error());
    upkeep->state.store(removed ? State::kDone : State::kSkipped, std::memory_order_release);
  }
  return {};
}

void Upkeep::finish() {
  std::lock_guard lock(running_);
  auto expected = State::kPending;
  state.compare_exchange_strong(expected, State::kSkipped);
}

}  // namespace broker
