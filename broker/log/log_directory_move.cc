// What a log directory does for partitions that move to or from another one. The order of steps
// that makes a crash harmless: docs/decisions/0015-moving-between-log-directories.md.
#include <algorithm>
#include <cerrno>

#include "broker/log/log_directory.h"
#include "broker/log/move_mark.h"
#include "common/base/check.h"

namespace broker {
namespace {

constexpr std::string_view kFuture = "-future";
constexpr std::string_view kMark = "/.moldau-move";
constexpr std::size_t kNameMax = 255;

}  // namespace

std::string encode_move_mark(const MoveMark& mark) {
  return std::string(mark.counts ? "moved " : "copy ") + mark.origin.to_string() + "\n";
}

std::optional<MoveMark> parse_move_mark(std::string_view text) {
  const bool counts = text.starts_with("moved ");
  if (!counts && !text.starts_with("copy ")) return std::nullopt;
  text.remove_prefix(counts ? 6 : 5);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto origin = base::Uuid::parse(text);
  if (!origin) return std::nullopt;
  return MoveMark{counts, *origin};
}

std::optional<PartitionName> parse_future_name(std::string_view name) {
  if (!name.ends_with(kFuture)) return std::nullopt;
  name.remove_suffix(kFuture.size());
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return PartitionName::parse(name.substr(0, dot));
}

bool LogDirectory::fits_future_name(const PartitionName& name) {
  return name.to_string().size() + 1 + 32 + kFuture.size() <= kNameMax;
}

std::string LogDirectory::future_path(const PartitionName& name, base::Random& random) const {
  return partition_path(name) + "." + random_hex(random) + std::string(kFuture);
}

io::IoResult<std::optional<MoveMark>> LogDirectory::move_mark(const PartitionName& name) const {
  const std::string path = partition_path(name) + std::string(kMark);
  if (!disk_.exists(path)) return std::optional<MoveMark>();
  const auto text = disk_.read_file(path);
  if (!text) return std::unexpected(text.error());
  const auto mark = parse_move_mark(*text);
  if (!mark) return io::io_failure(EBADMSG, path + ": neither 'copy' nor 'moved'");
  return mark;
}

io::IoResult<void> LogDirectory::noted(io::IoResult<void> result) {
  if (!result) note_failure(result.error());
  return result;
}

// Nothing of it is trusted after a crash, so nothing need be durable yet.
io::IoResult<LogDirectory::Future> LogDirectory::create_future(
    const PartitionName& name, const base::Uuid& topic_id, base::Offset start,
    const LogConfig& config, base::WallMs now, base::Random& random) {
  if (health_.failed()) return std::unexpected(*health_.reason());
  if (disk_.exists(partition_path(name))) {
    return io::io_failure(EEXIST, partition_path(name) + " is there already");
  }
  Future future{.name = name, .path = future_path(name, random)};
  auto made = noted(disk_.make_directory(future.path));
  if (made) made = noted(write_metadata(future.path, topic_id, Durable::kNow));
  if (made) {
    auto opened = Log::open(services(), future.path, config,
                            {.clean_shutdown = true, .log_start = start, .now = now});
    if (opened) {
      future.log = std::move(opened->log);
      return future;
    }
    made = noted(std::unexpected(opened.error()));
  }
  (void)disk_.remove_all(future.path);
  return std::unexpected(made.error());
}

// Another Log, as the old one's files have other names now.
io::IoResult<void> LogDirectory::place_future(Future& future, const base::Uuid& origin,
                                              base::WallMs now) {
  if (auto closed = noted(future.log->close()); !closed) return closed;
  const OpenHints hints{.recovery_point = future.log->end_offset(),
                        .clean_shutdown = true,
                        .log_start = future.log->start_offset(),
                        .now = now};
  const LogConfig config = future.log->config();
  const base::Offset end = future.log->end_offset();
  future.log.reset();
  auto done = disk_.replace_file(future.path + std::string(kMark),
                                 encode_move_mark({.counts = false, .origin = origin}));
  const std::string placed = partition_path(future.name);
  if (done) done = disk_.rename(future.path, placed);
  if (done) future.path = placed;
  if (done) done = disk_.sync_directory(path_);
  if (!done) return noted(done);
  auto opened = Log::open(services(), placed, config, hints);
  if (!opened) return noted(std::unexpected(opened.error()));
  future.log = std::move(opened->log);
  if (future.log->end_offset() == end) return {};
  return io::io_failure(EBADMSG, placed + ": the copy does not end where it did");
}

io::IoResult<void> LogDirectory::adopt_placed(const PartitionName& name, const base::Uuid& origin) {
  return noted(disk_.replace_file(partition_path(name) + std::string(kMark),
                                  encode_move_mark({.counts = true, .origin = origin})));
}

io::IoResult<void> LogDirectory::forget_origin(const PartitionName& name) {
  auto done = disk_.remove(partition_path(name) + std::string(kMark));
  if (!done && done.error().code == ENOENT) return {};
  if (done) done = disk_.sync_directory(partition_path(name));
  return noted(done);
}

io::IoResult<void> LogDirectory::discard_future(Future& future, base::Random& random) {
  future.log.reset();
  std::string path = future.path;
  if (path == partition_path(future.name)) {
    // Its mark must not go before its name does.
    auto trash = delete_partition(future.name, random);
    if (!trash) return noted(std::unexpected(trash.error()));
    path = *trash;
  }
  return noted(disk_.remove_all(path));
}

io::IoResult<void> LogDirectory::find_futures() {
  auto entries = disk_.list(path_);
  if (!entries) return std::unexpected(entries.error());
  for (const io::DirectoryEntry& entry : *entries) {
    const auto name = parse_future_name(entry.name);
    if (!entry.is_directory || !name) continue;
    left_futures_.push_back({.name = *name, .path = path_ + "/" + entry.name, .log = nullptr});
  }
  return {};
}

io::IoResult<std::vector<std::pair<PartitionName, base::Uuid>>> LogDirectory::moved_here() const {
  auto entries = disk_.list(path_);
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::pair<PartitionName, base::Uuid>> out;
  for (const io::DirectoryEntry& entry : *entries) {
    const auto name = PartitionName::parse(entry.name);
    if (!entry.is_directory || !name) continue;
    auto mark = move_mark(*name);
    if (!mark) return std::unexpected(mark.error());
    if (*mark) out.emplace_back(*name, (*mark)->origin);
  }
  return out;
}

io::IoResult<void> LogDirectory::set_copies_aside(base::Random& random) {
  auto entries = disk_.list(path_);
  if (!entries) return std::unexpected(entries.error());
  bool renamed = false;
  for (const io::DirectoryEntry& entry : *entries) {
    const auto name = PartitionName::parse(entry.name);
    if (!entry.is_directory || !name) continue;
    auto mark = move_mark(*name);
    if (!mark) return std::unexpected(mark.error());
    if (!*mark || (*mark)->counts) continue;
    auto moved = disk_.rename(partition_path(*name), future_path(*name, random));
    if (!moved) return moved;
    renamed = true;
  }
  return renamed ? disk_.sync_directory(path_) : io::IoResult<void>();
}

}  // namespace broker
