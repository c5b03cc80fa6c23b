#include "broker/log/failed_sync.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/log/text_lines.h"

namespace broker {
namespace {

constexpr std::string_view kMark = "/.moldau-failed-sync";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kPieceBytes = 1 << 20;

// The offset at the front of a segment's or snapshot's name.
std::optional<base::Offset> offset_of(std::string_view name) {
  if (name.size() <= kDigits || name[kDigits] != '.') return std::nullopt;
  const auto number = parse_number<std::int64_t>(name.substr(0, kDigits));
  if (!number) return std::nullopt;
  return base::Offset(*number);
}

// The same bytes in the same places: a crash in between changes nothing.
io::IoResult<void> rewrite(io::Disk& disk, const std::string& path) {
  auto file = disk.open(path, io::OpenMode::kReadWrite);
  if (!file) return std::unexpected(file.error());
  auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  base::Bytes piece(std::min<std::uint64_t>(kPieceBytes, *size));
  for (std::uint64_t at = 0; at < *size;) {
    auto got = (*file)->read_at(piece, at);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return io::io_failure(EIO, path + ": it ends before its size");
    auto wrote = (*file)->write_at(base::BytesView(piece).first(*got), at);
    if (!wrote) return wrote;
    at += *got;
  }
  // A cut that was dropped as well.
  if (auto cut = (*file)->truncate(*size); !cut) return cut;
  return (*file)->sync_data();
}

io::IoResult<void> rewrite_partition(io::Disk& disk, const std::string& directory,
                                     base::Offset recovery_point) {
  auto entries = disk.list(directory);
  if (!entries) return std::unexpected(entries.error());
  // The segment that the recovery point lies in, or the one that ends there.
  base::Offset first{0};
  for (const io::DirectoryEntry& entry : *entries) {
    const auto offset = offset_of(entry.name);
    if (!offset || !entry.name.ends_with(".log") || *offset >= recovery_point) continue;
    first = std::max(first, *offset);
  }
  for (const io::DirectoryEntry& entry : *entries) {
    const auto offset = offset_of(entry.name);
    if (entry.is_directory || !offset || *offset < first) continue;
    if (auto done = rewrite(disk, directory + "/" + entry.name); !done) return done;
  }
  return disk.sync_directory(directory);
}

}  // namespace

void mark_failed_sync(io::Disk& disk, const std::string& log_directory) {
  (void)disk.open(log_directory + std::string(kMark), io::OpenMode::kCreate);
}

bool has_failed_sync_mark(const io::Disk& disk, const std::string& log_directory) {
  return disk.exists(log_directory + std::string(kMark));
}

io::IoResult<void> mend_failed_sync(
    io::Disk& disk, const std::string& log_directory,
    const std::function<base::Offset(const PartitionName&)>& recovery_point) {
  auto entries = disk.list(log_directory);
  if (!entries) return std::unexpected(entries.error());
  for (const io::DirectoryEntry& entry : *entries) {
    const auto name = PartitionName::parse(entry.name);
    if (!entry.is_directory || !name) continue;
    auto done = rewrite_partition(disk, log_directory + "/" + entry.name, recovery_point(*name));
    if (!done) return done;
  }
  if (auto removed = disk.remove(log_directory + std::string(kMark)); !removed) return removed;
  return disk.sync_directory(log_directory);
}

}  // namespace broker
