#include "broker/log/log_directory.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "broker/log/failed_sync.h"
#include "broker/log/full_disk.h"
#include "broker/log/partition_metadata.h"
#include "broker/log/text_lines.h"

namespace broker {

namespace {

constexpr std::string_view kCleanMarker = "/.kafka_cleanshutdown";
constexpr std::string_view kIdentity = "/meta.properties";
constexpr std::string_view kSpaceTry = "/.moldau-space";

std::string encode_identity(const DirectoryIdentity& identity) {
  return "#\nversion=1\ncluster.id=" + identity.cluster_id +
         "\nnode.id=" + std::to_string(identity.node_id.value()) +
         "\ndirectory.id=" + identity.directory_id.to_string() + "\n";
}

// Java properties, as far as Kafka writes them here: no escapes but '\:' and '\='.
std::optional<DirectoryIdentity> parse_identity(std::string_view text) {
  DirectoryIdentity identity;
  bool version = false;
  bool node = false;
  TextLines lines(text);
  while (auto line = lines.next()) {
    if (line->ends_with('\r')) line->remove_suffix(1);
    if (line->empty() || line->front() == '#' || line->front() == '!') continue;
    const auto equals = line->find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = line->substr(0, equals);
    std::string value(line->substr(equals + 1));
    std::erase(value, '\\');
    if (key == "version") {
      version = value == "1";
    } else if (key == "cluster.id") {
      identity.cluster_id = value;
    } else if (key == "node.id") {
      const auto number = parse_number<std::int32_t>(value);
      if (!number) return std::nullopt;
      identity.node_id = base::BrokerId(*number);
      node = true;
    } else if (key == "directory.id") {
      const auto id = base::Uuid::parse(value);
      if (!id) return std::nullopt;
      identity.directory_id = *id;
    }
  }
  if (!version || !node || identity.cluster_id.empty()) return std::nullopt;
  return identity;
}

}  // namespace

LogDirectory::LogDirectory(io::Disk& disk, std::string path, base::Diag& diag, Options options)
    : disk_(disk),
      path_(std::move(path)),
      diag_(diag),
      files_(disk, options.open_files_max),
      debt_(options.recovery_bytes_max),
      left_(disk_, path_),
      recovery_points_(disk, path_ + "/recovery-point-offset-checkpoint"),
      starts_(disk, path_ + "/log-start-offset-checkpoint"),
      high_watermarks_(disk, path_ + "/replication-offset-checkpoint") {
  // Blocks whoever saw the failure; nothing else will be written here.
  health_.on_failure([this](const io::IoError&) { mark_failed_sync(disk_, path_); });
}

LogDirectory::~LogDirectory() = default;

LogServices LogDirectory::services() { return {disk_, files_, health_, diag_, &debt_}; }

io::IoResult<std::unique_ptr<LogDirectory>> LogDirectory::open(io::Disk& disk, std::string path,
                                                               const std::string& cluster_id,
                                                               base::BrokerId node_id,
                                                               base::Random& random,
                                                               base::Diag& diag, Options options) {
  if (auto made = disk.make_directories(path); !made) return std::unexpected(made.error());
  std::unique_ptr<LogDirectory> directory(new LogDirectory(disk, std::move(path), diag, options));
  auto lock = disk.lock(directory->path_);
  if (!lock) return std::unexpected(lock.error());
  directory->lock_ = std::move(*lock);
  const base::Uuid fresh = options.new_id.is_zero() ? base::Uuid::random(random) : options.new_id;
  if (auto done = directory->load_identity(cluster_id, node_id, fresh); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = directory->take_clean_marker(); !done) return std::unexpected(done.error());
  if (auto done = directory->load_checkpoints(); !done) return std::unexpected(done.error());
  if (auto done = directory->set_copies_aside(random); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = directory->find_futures(); !done) return std::unexpected(done.error());
  if (auto done = directory->remove_leftovers(); !done) return std::unexpected(done.error());
  return directory;
}

io::IoResult<LogDirectory::Left> LogDirectory::look_at(io::Disk& disk, const std::string& path) {
  Left left;
  const auto text = disk.read_file(path + std::string(kIdentity));
  if (!text && text.error().code == ENOENT) return left;
  if (!text) return std::unexpected(text.error());
  const auto identity = parse_identity(*text);
  if (!identity) {
    return io::io_failure(
        EBADMSG, path + std::string(kIdentity) + ": not a Kafka meta.properties, version 1");
  }
  left.cluster_id = identity->cluster_id;
  left.directory_id = identity->directory_id;
  const std::string marker = path + std::string(kCleanMarker);
  if (!disk.exists(marker)) return left;
  const auto content = disk.read_file(marker);
  if (!content) return std::unexpected(content.error());
  // As Kafka writes it: {"version":0,"brokerEpoch":7}.
  constexpr std::string_view kKey = "\"brokerEpoch\":";
  const auto at = content->find(kKey);
  std::int64_t epoch = -1;
  if (at != std::string::npos) {
    const char* from = content->data() + at + kKey.size();
    std::from_chars(from, content->data() + content->size(), epoch);
  }
  left.clean_epoch = base::BrokerEpoch(epoch);
  return left;
}

io::IoResult<void> LogDirectory::load_identity(const std::string& cluster_id,
                                               base::BrokerId node_id, const base::Uuid& fresh) {
  const std::string path = path_ + std::string(kIdentity);
  auto text = disk_.read_file(path);
  if (!text && text.error().code != ENOENT) return std::unexpected(text.error());
  if (!text) {
    identity_ = {cluster_id, node_id, fresh};
    return disk_.replace_file(path, encode_identity(identity_));
  }
  auto identity = parse_identity(*text);
  if (!identity) return io::io_failure(EBADMSG, path + ": not a Kafka meta.properties, version 1");
  if (identity->cluster_id != cluster_id) {
    return io::io_failure(EINVAL, path + ": the directory belongs to cluster " +
                                      identity->cluster_id + ", not " + cluster_id);
  }
  if (identity->node_id != node_id) {
    return io::io_failure(EINVAL, path + ": the directory belongs to node " +
                                      std::to_string(identity->node_id.value()) + ", not " +
                                      std::to_string(node_id.value()));
  }
  identity_ = std::move(*identity);
  if (!identity_.directory_id.is_zero()) return {};
  identity_.directory_id = fresh;
  return disk_.replace_file(path, encode_identity(identity_));
}

// After an unclean end everything that is still in the page cache goes to the medium first: what
// recovery reads is then what a crash would leave.
io::IoResult<void> LogDirectory::take_clean_marker() {
  const std::string path = path_ + std::string(kCleanMarker);
  was_clean_ = disk_.exists(path);
  if (!was_clean_) {
    auto synced = disk_.sync_filesystem(path_);
    if (!synced) mark_failed_sync(disk_, path_);
    return synced;
  }
  if (auto removed = disk_.remove(path); !removed) return removed;
  return disk_.sync_directory(path_);
}

io::IoResult<void> LogDirectory::load_checkpoints() {
  for (OffsetCheckpoint* checkpoint : {&recovery_points_, &starts_, &high_watermarks_}) {
    if (auto loaded = checkpoint->load(); !loaded) return loaded;
  }
  if (!has_failed_sync_mark(disk_, path_)) return {};
  diag_.warn("log", "a sync failed before: what may not be on the medium is written again",
             {{"directory", path_}});
  return mend_failed_sync(disk_, path_, [this](const PartitionName& name) {
    return recovery_points_.get(name).value_or(base::Offset(0));
  });
}

io::IoResult<std::vector<LogDirectory::Found>> LogDirectory::partitions() const {
  auto entries = disk_.list(path_);
  if (!entries) return std::unexpected(entries.error());
  std::vector<Found> found;
  for (const io::DirectoryEntry& entry : *entries) {
    auto name = PartitionName::parse(entry.name);
    if (!entry.is_directory || !name) continue;
    Found partition{std::move(*name), std::nullopt};
    if (auto text = disk_.read_file(path_ + "/" + entry.name + "/partition.metadata")) {
      partition.topic_id = parse_partition_metadata(*text);
    }
    if (!partition.topic_id) {
      auto has = has_segments(path_ + "/" + entry.name);
      if (!has) return std::unexpected(has.error());
      if (!*has) continue;
    }
    found.push_back(std::move(partition));
  }
  std::ranges::sort(found, {}, &Found::name);
  return found;
}

io::IoResult<bool> LogDirectory::has_segments(const std::string& partition_path) const {
  auto entries = disk_.list(partition_path);
  if (!entries) return std::unexpected(entries.error());
  return std::ranges::any_of(*entries, [](const io::DirectoryEntry& entry) {
    return entry.name.ends_with(".log") || entry.name.ends_with(".log.swap");
  });
}

io::IoResult<Log::Opened> LogDirectory::open_partition(const PartitionName& name,
                                                       const LogConfig& config, base::WallMs now,
                                                       bool tolerate_loss) {
  const OpenHints hints{.recovery_point = recovery_points_.get(name).value_or(base::Offset(0)),
                        .clean_shutdown = was_clean_,
                        .log_start = starts_.get(name).value_or(base::Offset(0)),
                        .now = now,
                        .synced = true,
                        .tolerate_loss = tolerate_loss};
  auto opened = Log::open(services(), partition_path(name), config, hints);
  if (!opened) note_failure(opened.error());
  return opened;
}

// What the medium refuses ends the service of all of it; what passes, or is of one log, does not.
void LogDirectory::note_failure(const io::IoError& error) {
  switch (error.code) {
    case EBADMSG:  // a damaged log
    case ENOENT:
    case ENOTDIR:
    case EEXIST:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return;
    default:
      is_full_disk(error) ? health_.note_full() : health_.fail(error);
  }
}

io::IoResult<std::unique_ptr<Log>> LogDirectory::create_partition(const PartitionName& name,
                                                                  const base::Uuid& topic_id,
                                                                  const LogConfig& config,
                                                                  base::WallMs now,
                                                                  Durable durable) {
  if (health_.failed()) return std::unexpected(*health_.reason());
  const std::string path = partition_path(name);
  if (auto made = make_place(name, path); !made) {
    note_failure(made.error());
    return std::unexpected(made.error());
  }
  if (auto wrote = write_metadata(path, topic_id, durable); !wrote) {
    note_failure(wrote.error());
    (void)disk_.remove_all(path);
    return std::unexpected(wrote.error());
  }
  return Log::create(services(), path, config, topic_id, now);
}

// The checkpoints forget one of this name that was here before, durably, before there is anything
// that could be taken for it.
io::IoResult<void> LogDirectory::make_place(const PartitionName& name, const std::string& path) {
  for (OffsetCheckpoint* checkpoint : {&recovery_points_, &starts_, &high_watermarks_}) {
    if (!checkpoint->on_disk(name)) continue;
    if (auto cleared = clear_place(path); !cleared) return cleared;
    checkpoint->erase(name);
    if (auto wrote = write_checkpoint(*checkpoint); !wrote) return wrote;
  }
  auto made = disk_.make_directory(path);
  if (!made && made.error().code == EEXIST) {
    made = clear_place(path);
    if (made) made = disk_.make_directory(path);
  }
  if (!made) return made;
  for (OffsetCheckpoint* checkpoint : {&recovery_points_, &starts_, &high_watermarks_}) {
    checkpoint->erase(name);
  }
  return {};
}

// Of what a crash left of a creation.
io::IoResult<void> LogDirectory::clear_place(const std::string& path) {
  if (!disk_.exists(path)) return {};
  auto has = has_segments(path);
  if (!has) return std::unexpected(has.error());
  if (*has) return io::io_failure(EEXIST, path + ": the partition exists");
  return disk_.remove_all(path);
}

io::IoResult<void> LogDirectory::write_metadata(const std::string& path, const base::Uuid& topic_id,
                                                Durable durable) {
  const std::string metadata = path + "/partition.metadata";
  const std::string text = encode_partition_metadata(topic_id);
  if (durable == Durable::kNow) {
    if (auto wrote = disk_.replace_file(metadata, text); !wrote) return wrote;
    return disk_.sync_directory(path_);
  }
  // Torn by a crash it names no topic, and there are no segments: as if it was not there.
  auto file = disk_.open(metadata, io::OpenMode::kCreateEmpty);
  if (!file) return std::unexpected(file.error());
  return (*file)->write_at(base::as_bytes(text), 0);
}

io::IoResult<void> LogDirectory::sync_created() {
  if (health_.failed()) return std::unexpected(*health_.reason());
  auto synced = disk_.sync_filesystem(path_);
  if (!synced) health_.fail(synced.error());
  return synced;
}

void LogDirectory::note_recovery_point(const PartitionName& name, base::Offset offset) {
  recovery_points_.set(name, offset);
}
void LogDirectory::note_start(const PartitionName& name, base::Offset offset) {
  starts_.set(name, offset);
}
void LogDirectory::note_high_watermark(const PartitionName& name, base::Offset offset) {
  high_watermarks_.set(name, offset);
}
std::optional<base::Offset> LogDirectory::start_of(const PartitionName& name) const {
  return starts_.get(name);
}
std::optional<base::Offset> LogDirectory::recovery_point_of(const PartitionName& name) const {
  return recovery_points_.get(name);
}
std::optional<base::Offset> LogDirectory::high_watermark_of(const PartitionName& name) const {
  return high_watermarks_.get(name);
}

io::IoResult<void> LogDirectory::write_checkpoint(OffsetCheckpoint& checkpoint) {
  if (health_.failed()) return std::unexpected(*health_.reason());
  auto wrote = checkpoint.write();
  if (!wrote) is_full_disk(wrote.error()) ? health_.note_full() : health_.fail(wrote.error());
  return wrote;
}

// Quotas and reserves tell less about space than a write does.
void LogDirectory::try_space() {
  const base::Bytes zeros(64 << 10);
  const std::vector<base::BytesView> megabyte(16, zeros);
  const std::string path = path_ + std::string(kSpaceTry);
  auto file = disk_.open(path, io::OpenMode::kCreateEmpty);
  auto wrote =
      file ? (*file)->write_at(megabyte, 0) : io::IoResult<void>(std::unexpected(file.error()));
  if (file) (void)disk_.remove(path);
  if (wrote) health_.note_space();
}

io::IoResult<void> LogDirectory::write_starts() { return write_checkpoint(starts_); }
io::IoResult<void> LogDirectory::write_recovery_points() {
  return write_checkpoint(recovery_points_);
}
io::IoResult<void> LogDirectory::write_high_watermarks() {
  return write_checkpoint(high_watermarks_);
}

io::IoResult<void> LogDirectory::close_clean(base::BrokerEpoch broker_epoch) {
  for (OffsetCheckpoint* checkpoint : {&starts_, &high_watermarks_, &recovery_points_}) {
    if (auto wrote = write_checkpoint(*checkpoint); !wrote) return wrote;
  }
  if (health_.failed()) return std::unexpected(*health_.reason());
  return disk_.replace_file(
      path_ + std::string(kCleanMarker),
      "{\"version\":0,\"brokerEpoch\":" + std::to_string(broker_epoch.value()) + "}");
}

}  // namespace broker
