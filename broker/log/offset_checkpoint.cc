#include "broker/log/offset_checkpoint.h"

#include <cerrno>

#include "broker/log/text_lines.h"

namespace broker {

OffsetCheckpoint::OffsetCheckpoint(io::Disk& disk, std::string path)
    : disk_(disk), path_(std::move(path)) {}

io::IoResult<void> OffsetCheckpoint::load() {
  auto text = disk_.read_file(path_);
  if (!text) {
    if (text.error().code == ENOENT) return {};
    return std::unexpected(text.error());
  }
  auto offsets = parse(*text);
  if (!offsets) return io::io_failure(EBADMSG, path_ + ": not an offset checkpoint");
  std::lock_guard lock(mutex_);
  offsets_ = std::move(*offsets);
  for (const auto& [name, offset] : offsets_) on_disk_.insert(name);
  return {};
}

std::optional<base::Offset> OffsetCheckpoint::get(const PartitionName& name) const {
  std::lock_guard lock(mutex_);
  const auto it = offsets_.find(name);
  return it == offsets_.end() ? std::nullopt : std::optional(it->second);
}

void OffsetCheckpoint::set(const PartitionName& name, base::Offset offset) {
  std::lock_guard lock(mutex_);
  const auto [it, added] = offsets_.try_emplace(name, offset);
  if (!added && it->second == offset) return;
  it->second = offset;
  ++version_;
}

void OffsetCheckpoint::erase(const PartitionName& name) {
  std::lock_guard lock(mutex_);
  if (offsets_.erase(name) > 0) ++version_;
}

io::IoResult<void> OffsetCheckpoint::write() {
  std::lock_guard writing(write_mutex_);
  std::string text;
  std::set<PartitionName> names;
  std::uint64_t version = 0;
  {
    std::lock_guard lock(mutex_);
    if (written_ == version_) return {};
    version = version_;
    text = encode(offsets_);
    for (const auto& [name, offset] : offsets_) names.insert(name);
  }
  if (auto wrote = disk_.replace_file(path_, text); !wrote) return wrote;
  std::lock_guard lock(mutex_);
  written_ = version;
  on_disk_ = std::move(names);
  return {};
}

bool OffsetCheckpoint::on_disk(const PartitionName& name) const {
  std::lock_guard lock(mutex_);
  return on_disk_.contains(name);
}

OffsetCheckpoint::Offsets OffsetCheckpoint::all() const {
  std::lock_guard lock(mutex_);
  return offsets_;
}

std::string OffsetCheckpoint::encode(const Offsets& offsets) {
  std::string text = "0\n" + std::to_string(offsets.size()) + "\n";
  for (const auto& [name, offset] : offsets) {
    text += name.topic + " " + std::to_string(name.partition) + " " +
            std::to_string(offset.value()) + "\n";
  }
  return text;
}

std::optional<OffsetCheckpoint::Offsets> OffsetCheckpoint::parse(std::string_view text) {
  TextLines lines(text);
  if (lines.next_number<int>() != 0) return std::nullopt;
  const auto count = lines.next_number<std::uint64_t>();
  if (!count) return std::nullopt;
  Offsets offsets;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto line = lines.next();
    if (!line) return std::nullopt;
    const auto first = line->find(' ');
    const auto second = first == std::string_view::npos ? first : line->find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto partition = parse_number<std::int32_t>(line->substr(first + 1, second - first - 1));
    const auto offset = parse_number<std::int64_t>(line->substr(second + 1));
    if (!partition || !offset) return std::nullopt;
    offsets[{std::string(line->substr(0, first)), *partition}] = base::Offset(*offset);
  }
  if (lines.next()) return std::nullopt;
  return offsets;
}

}  // namespace broker
