#include "broker/log/upkeep.h"

#include <cerrno>

#include "broker/log/full_disk.h"

namespace broker {
namespace {

io::IoResult<void> write_and_sync(io::Disk& disk, const Upkeep::SideFile& side) {
  auto file = disk.open(side.path, io::OpenMode::kCreate);
  if (!file) return std::unexpected(file.error());
  if (!side.content.empty()) {
    if (auto wrote = (*file)->write_at(base::BytesView(side.content), side.position); !wrote) {
      return wrote;
    }
  }
  // What stands behind belongs to another time.
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  const std::uint64_t end = side.position + side.content.size();
  if (*size > end) {
    if (auto cut = (*file)->truncate(end); !cut) return cut;
  }
  return (*file)->sync_data();
}

}  // namespace

io::IoResult<void> write_side_files(io::Disk& disk, const std::string& directory,
                                    const std::vector<Upkeep::SideFile>& sides) {
  if (sides.empty()) return {};
  for (const Upkeep::SideFile& side : sides) {
    if (auto wrote = write_and_sync(disk, side); !wrote) return wrote;
  }
  return disk.sync_directory(directory);
}

namespace {

io::IoResult<void> run_all(const Upkeep& upkeep, io::Disk& disk) {
  if (auto wrote = write_side_files(disk, upkeep.directory, upkeep.indexes); !wrote) return wrote;
  if (upkeep.epochs) {
    const std::string path = upkeep.directory + "/leader-epoch-checkpoint";
    if (auto wrote = disk.replace_file(path, *upkeep.epochs); !wrote) return wrote;
  }
  if (auto wrote = write_side_files(disk, upkeep.directory, upkeep.snapshots); !wrote) return wrote;
  for (const std::string& path : upkeep.obsolete) {
    if (auto removed = disk.remove(path); !removed && removed.error().code != ENOENT) {
      return removed;
    }
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
  const bool passes = is_full_disk(result.error()) || result.error().code == ENOENT;
  return passes ? io::IoResult<void>{} : result;
}

void Upkeep::finish() {
  std::lock_guard lock(running_);
  auto expected = State::kPending;
  state.compare_exchange_strong(expected, State::kSkipped);
}

}  // namespace broker
