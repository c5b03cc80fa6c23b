#include "broker/log/left_partitions.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace broker {

void LeftPartitions::found(std::set<PartitionName> names) {
  std::lock_guard lock(mutex_);
  names_ = std::move(names);
}

void LeftPartitions::forget(const PartitionName& name) {
  std::lock_guard lock(mutex_);
  names_.erase(name);
}

bool LeftPartitions::contains(const PartitionName& name) const {
  std::lock_guard lock(mutex_);
  return names_.contains(name);
}

// A dead disk answers that nothing exists; one that was unmounted, that there is an empty
// directory.
io::IoResult<bool> LeftPartitions::look_for(const PartitionName& name) const {
  if (disk_.exists(directory_ + "/" + name.to_string())) return true;
  if (!contains(name)) return false;
  auto entries = disk_.list(directory_);
  if (!entries) return std::unexpected(entries.error());
  const auto has = [&](const std::string& wanted) {
    return std::ranges::find(*entries, wanted, &io::DirectoryEntry::name) != entries->end();
  };
  if (!has("meta.properties")) {
    return io::io_failure(EIO, directory_ + " is empty: " + name.to_string() + " was there");
  }
  return has(name.to_string());
}

}  // namespace broker
