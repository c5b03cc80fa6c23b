// How partitions leave a log directory, and what it does with folders that are no partitions:
// docs/log_format.md.
#include <set>

#include "broker/log/log_directory.h"

namespace broker {
namespace {

constexpr std::string_view kDeleted = "-delete";
constexpr std::string_view kFuture = "-future";
constexpr std::string_view kStray = "-stray";
constexpr std::size_t kNameMax = 255;  // of a file

}  // namespace

io::IoResult<std::string> LogDirectory::delete_partition(const PartitionName& name,
                                                         base::Random& random) {
  const std::string suffix =
      "-" + std::to_string(name.partition) + "." + random_hex(random) + std::string(kDeleted);
  const std::string to = path_ + "/" + name.topic.substr(0, kNameMax - suffix.size()) + suffix;
  if (auto renamed = rename_partition(name, to); !renamed) {
    return std::unexpected(renamed.error());
  }
  return to;
}

io::IoResult<void> LogDirectory::set_aside(const PartitionName& name, const base::Uuid& topic_id,
                                           std::string_view why) {
  const std::string tail = "-" + std::to_string(name.partition) + "." + topic_id.to_string();
  std::string to;
  for (int i = 1; to.empty() || disk_.exists(to); ++i) {
    const std::string suffix =
        tail + (i > 1 ? "." + std::to_string(i) : std::string()) + std::string(kStray);
    to = path_ + "/" + name.topic.substr(0, kNameMax - suffix.size()) + suffix;
  }
  diag_.warn("log", why, {{"directory", partition_path(name)}, {"to", to}});
  return rename_partition(name, to);
}

io::IoResult<void> LogDirectory::rename_partition(const PartitionName& name,
                                                  const std::string& to) {
  if (auto renamed = disk_.rename(partition_path(name), to); !renamed) return renamed;
  if (auto synced = disk_.sync_directory(path_); !synced) {
    health_.fail(synced.error());
    return synced;
  }
  for (OffsetCheckpoint* checkpoint : {&recovery_points_, &starts_, &high_watermarks_}) {
    checkpoint->erase(name);
  }
  left_.forget(name);
  return {};
}

io::IoResult<void> LogDirectory::remove_leftovers() {
  auto entries = disk_.list(path_);
  if (!entries) return std::unexpected(entries.error());
  for (const io::DirectoryEntry& entry : *entries) {
    const std::string path = path_ + "/" + entry.name;
    if (entry.is_directory && entry.name.ends_with(kStray)) {
      diag_.warn("log", "what was set aside is left alone: nobody reads it", {{"directory", path}});
    }
    if (!entry.is_directory || !entry.name.ends_with(kDeleted)) continue;
    diag_.info("log", "what was left of a deleted partition is removed", {{"directory", path}});
    if (auto removed = disk_.remove_all(path); !removed) return removed;
  }
  // Offsets of partitions that are gone must not be taken for those of a new one.
  std::set<PartitionName> there;
  for (const io::DirectoryEntry& entry : *entries) {
    const auto name = PartitionName::parse(entry.name);
    if (entry.is_directory && name) there.insert(*name);
  }
  for (OffsetCheckpoint* checkpoint : {&recovery_points_, &starts_, &high_watermarks_}) {
    for (const auto& [name, offset] : checkpoint->all()) {
      if (!there.contains(name)) checkpoint->erase(name);
    }
  }
  left_.found(std::move(there));
  return {};
}

io::IoResult<void> LogDirectory::set_aside(const Future& future) {
  const std::string aside =
      future.path.substr(0, future.path.size() - kFuture.size()) + std::string(kStray);
  diag_.warn("log", "a copy of a partition that is not here is set aside",
             {{"directory", future.path}, {"to", aside}});
  if (auto renamed = disk_.rename(future.path, aside); !renamed) return renamed;
  return disk_.sync_directory(path_);
}

}  // namespace broker
