#include "broker/log/recovery.h"

#include <algorithm>
#include <cerrno>

#include "broker/log/partition_metadata.h"
#include "broker/log/text_lines.h"

namespace broker {

namespace {

constexpr std::size_t kDigits = 20;

// "00000000000000000042" at the front of a name.
std::optional<base::Offset> offset_of(std::string_view name) {
  if (name.size() <= kDigits || name[kDigits] != '.') return std::nullopt;
  const auto number = parse_number<std::int64_t>(name.substr(0, kDigits));
  if (!number || *number < 0) return std::nullopt;
  return base::Offset(*number);
}

}  // namespace

io::IoResult<RecoveryReport> Recovery::run() {
  auto names = list();
  if (!names) return std::unexpected(names.error());
  if (auto done = finish_swaps(*names); !done) return std::unexpected(done.error());
  if (auto done = sweep(*names); !done) return std::unexpected(done.error());
  if (auto done = sift_snapshots(); !done) return std::unexpected(done.error());
  if (auto done = load_segments(*names); !done) return std::unexpected(done.error());
  if (auto done = drop_below_start(); !done) return std::unexpected(done.error());
  load_topic_id();
  if (auto done = load_epochs(); !done) return std::unexpected(done.error());
  floor_ = log_.segments_.size() - 1;
  bool clean = false;
  if (hints_.clean_shutdown) {
    auto read = read_clean_end();
    if (!read) return std::unexpected(read.error());
    clean = *read;
  }
  trusted_ = log_.end_;
  if (!clean) {
    if (auto done = scan(); !done) return std::unexpected(done.error());
  }
  if (auto done = mend_indexes(*names); !done) return std::unexpected(done.error());
  log_.start_ = std::max(hints_.log_start, log_.segments_.front()->base());
  if (log_.end_ < log_.start_) {
    if (auto done = restart_at(log_.start_); !done) return std::unexpected(done.error());
  }
  log_.durable_start_ = log_.start_;
  if (log_.epochs_.truncate_end(log_.end_)) ++log_.epochs_version_;
  if (log_.epochs_.truncate_start(log_.start_)) ++log_.epochs_version_;
  if (auto done = make_durable(); !done) return std::unexpected(done.error());
  if (auto done = log_.rebuild_producers(trusted_, hints_.now); !done) {
    return std::unexpected(done.error());
  }
  if (log_.services_.debt != nullptr) log_.services_.debt->add(report_.scanned_bytes);
  return report_;
}

io::IoResult<Recovery::Names> Recovery::list() const {
  auto entries = log_.services_.disk.list(log_.directory_);
  if (!entries) return std::unexpected(entries.error());
  Names names;
  for (const io::DirectoryEntry& entry : *entries) {
    const std::string_view name = entry.name;
    if (name.ends_with(".deleted") || name.ends_with(".cleaned") || name.ends_with(".tmp")) {
      names.leftovers.push_back(entry.name);
      continue;
    }
    const auto offset = offset_of(name);
    if (!offset) continue;
    const std::string_view suffix = name.substr(kDigits);
    if (suffix == ".log") {
      names.logs.insert(*offset);
    } else if (suffix == ".log.swap") {
      names.swaps.insert(*offset);
    } else if (suffix.ends_with(".swap")) {
      names.other_swaps.push_back(entry.name);
    } else if (suffix == ".snapshot") {
      log_.snapshots_.push_back(*offset);
    } else {
      names.indexes[std::string(suffix)].insert(*offset);
    }
  }
  std::ranges::sort(log_.snapshots_);
  return names;
}

io::IoResult<void> Recovery::remove(const std::string& path) {
  auto removed = log_.services_.disk.remove(path);
  if (!removed && removed.error().code != ENOENT) return removed;
  changed_ = true;
  return {};
}

// A compaction (ours or Kafka's) that had written its result when the process ended: the result
// replaces the segments that it was made of. Each step is durable before the next: a crash in
// between finds either the old files or the new ones with all of their indexes.
io::IoResult<void> Recovery::finish_swaps(Names& names) {
  io::Disk& disk = log_.services_.disk;
  for (const base::Offset base : names.swaps) {
    auto file = disk.open(segment_path(log_.directory_, base, ".log.swap"), io::OpenMode::kRead);
    if (!file) return std::unexpected(file.error());
    auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    base::Offset end = base + 1;
    BatchScanner scanner(**file, 0, *size);
    while (true) {
      auto item = scanner.next();
      if (!item) return std::unexpected(item.error());
      if (!*item) break;
      end = std::max(end, (*item)->view.next_offset());
    }
    for (auto it = names.logs.lower_bound(base); it != names.logs.end() && *it < end;) {
      for (std::string_view suffix : {".index", ".timeindex", ".txnindex", ".log"}) {
        if (auto done = remove(segment_path(log_.directory_, *it, suffix)); !done) return done;
      }
      it = names.logs.erase(it);
    }
    if (auto synced = disk.sync_directory(log_.directory_); !synced) return synced;
    for (std::string_view suffix : {".index", ".timeindex", ".txnindex", ".log"}) {
      if (suffix == ".log") {
        if (auto synced = disk.sync_directory(log_.directory_); !synced) return synced;
      }
      const std::string to = segment_path(log_.directory_, base, suffix);
      auto renamed = disk.rename(to + ".swap", to);
      if (!renamed && renamed.error().code != ENOENT) return renamed;
      if (renamed && suffix != ".log") names.indexes[std::string(suffix)].insert(base);
    }
    if (auto synced = disk.sync_directory(log_.directory_); !synced) return synced;
    names.logs.insert(base);
    changed_ = true;
  }
  return {};
}

io::IoResult<void> Recovery::sweep(const Names& names) {
  for (const std::string& name : names.leftovers) {
    if (auto done = remove(log_.directory_ + "/" + name); !done) return done;
  }
  for (const std::string& name : names.other_swaps) {
    if (auto done = remove(log_.directory_ + "/" + name); !done) return done;
  }
  for (const auto& [suffix, offsets] : names.indexes) {
    const bool known = suffix == ".index" || suffix == ".timeindex" || suffix == ".txnindex";
    for (const base::Offset offset : offsets) {
      if (!known || names.logs.contains(offset)) continue;
      if (auto done = remove(segment_path(log_.directory_, offset, suffix)); !done) return done;
    }
  }
  return {};
}

// A snapshot at or above the recovery point may have been about to be written: only one that reads
// says anything.
io::IoResult<void> Recovery::sift_snapshots() {
  if (hints_.clean_shutdown) return {};
  std::vector<base::Offset> good;
  for (const base::Offset offset : log_.snapshots_) {
    if (offset >= hints_.recovery_point) {
      const std::string path = segment_path(log_.directory_, offset, ".snapshot");
      auto text = log_.services_.disk.read_file(path);
      if (!text) return std::unexpected(text.error());
      ProducerStates scratch({});
      if (!scratch.load_snapshot(base::as_bytes(*text), offset, hints_.now)) {
        if (auto done = remove(path); !done) return done;
        continue;
      }
    }
    good.push_back(offset);
  }
  log_.snapshots_ = std::move(good);
  return {};
}

io::IoResult<void> Recovery::load_segments(const Names& names) {
  for (const base::Offset base : names.logs) {
    auto segment =
        std::make_shared<Segment>(log_.services_.files, log_.directory_, base, hints_.now);
    auto file = segment->file();
    if (!file) return std::unexpected(file.error());
    auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    segment->size = segment->durable_size = segment->checkpoint_size = *size;
    segment->exists = true;
    segment->sealed = true;
    log_.segments_.push_back(std::move(segment));
  }
  return {};
}

// What a removal had not got to when the process ended. It began only once a producer snapshot of
// what stays was durable; without one nothing is missing, and all is kept for it.
io::IoResult<void> Recovery::drop_below_start() {
  auto& segments = log_.segments_;
  std::size_t count = 0;
  for (std::size_t i = 1; i < segments.size() && segments[i]->base() <= hints_.log_start; ++i) {
    if (std::ranges::binary_search(log_.snapshots_, segments[i]->base())) count = i;
  }
  for (; count > 0; --count) {
    for (std::string_view suffix : {".log", ".index", ".timeindex", ".txnindex"}) {
      if (auto done = remove(segments.front()->path(suffix)); !done) return done;
    }
    segments.erase(segments.begin());
  }
  if (segments.empty()) segments.push_back(log_.make_segment(hints_.log_start, hints_.now));
  segments.back()->sealed = false;
  for (const auto& segment : segments) sizes_.push_back(segment->size);
  const base::Offset first = std::min(segments.front()->base(), hints_.log_start);
  while (!log_.snapshots_.empty() && log_.snapshots_.front() < first) {
    const std::string path = segment_path(log_.directory_, log_.snapshots_.front(), ".snapshot");
    if (auto done = remove(path); !done) return done;
    log_.snapshots_.erase(log_.snapshots_.begin());
  }
  return {};
}

void Recovery::load_topic_id() {
  auto text = log_.services_.disk.read_file(log_.directory_ + "/partition.metadata");
  if (!text) return;
  log_.topic_id_ = parse_partition_metadata(*text);
}

io::IoResult<void> Recovery::load_epochs() {
  auto text = log_.services_.disk.read_file(log_.directory_ + "/leader-epoch-checkpoint");
  if (!text) {
    if (text.error().code == ENOENT) return {};
    return std::unexpected(text.error());
  }
  auto epochs = EpochCache::parse(*text);
  if (epochs) {
    log_.epochs_ = std::move(*epochs);
  } else {
    log_.services_.diag.warn("log", "the leader epoch checkpoint does not read",
                             {{"log", log_.directory_}});
  }
  return {};
}

io::IoResult<bool> Recovery::read_clean_end() {
  Segment& segment = log_.active();
  log_.end_ = segment.base();
  if (!segment.exists) return true;
  const auto load = [](auto& index, CachedFile& file) -> io::IoResult<bool> {
    using Entry = std::decay_t<decltype(index.tail().front())>;
    auto open = file.get();
    if (!open)
      return open.error().code == ENOENT ? io::IoResult<bool>(false)
                                         : std::unexpected(open.error());
    auto size = (*open)->size();
    if (!size) return std::unexpected(size.error());
    index.set_persisted(*size / Entry::kSize);
    return *size % Entry::kSize == 0;
  };
  for (auto loaded :
       {load(segment.offsets, segment.offset_file()), load(segment.times, segment.time_file())}) {
    if (!loaded) return std::unexpected(loaded.error());
    if (!*loaded) return false;
  }
  auto aborted = log_.services_.disk.read_file(segment.path(".txnindex"));
  if (!aborted && aborted.error().code != ENOENT) return std::unexpected(aborted.error());
  segment.aborted.set_persisted(aborted ? aborted->size() / AbortedEntry::kSize : 0);
  if (segment.size == 0) return segment.largest = TimeEntry{}, true;
  auto entry = last_in_file(segment.offsets, segment.offset_file());
  if (!entry) return std::unexpected(entry.error());
  std::uint64_t position = 0;
  if (*entry) {
    if ((*entry)->position <= 0) return false;
    position = static_cast<std::uint64_t>((*entry)->position);
    if (position >= segment.size) return false;
  }
  auto file = segment.file();
  if (!file) return std::unexpected(file.error());
  BatchScanner scanner(**file, position, segment.size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item) break;
    const record::BatchView& batch = (*item)->view;
    const bool first = (*item)->position == position;
    if (first && *entry && segment.relative(batch.last_offset()) != (*entry)->relative) {
      return false;
    }
    if (batch.base_offset() < log_.end_) return false;
    log_.end_ = batch.next_offset();
  }
  if (!scanner.why().empty()) return false;
  if (auto done = log_.load_active_state(segment); !done) return std::unexpected(done.error());
  segment.checkpoint_size = segment.size;
  return true;
}

// Rolled segments whose indexes are missing get them anew.
io::IoResult<void> Recovery::mend_indexes(const Names& names) {
  const auto has = [&](const char* suffix, base::Offset base) {
    const auto it = names.indexes.find(suffix);
    return it != names.indexes.end() && it->second.contains(base);
  };
  for (std::size_t i = 0; i + 1 < log_.segments_.size() && i < floor_; ++i) {
    const auto& segment = log_.segments_[i];
    if (has(".index", segment->base()) && has(".timeindex", segment->base())) continue;
    if (auto done = rebuild_index(segment); !done) return done;
  }
  return {};
}

io::IoResult<void> Recovery::rebuild_index(const std::shared_ptr<Segment>& segment) {
  auto file = segment->file();
  if (!file) return std::unexpected(file.error());
  const std::uint64_t size = segment->size;
  auto aborted = log_.services_.disk.read_file(segment->path(".txnindex"));
  segment->start_empty();
  segment->aborted.set_persisted(aborted ? aborted->size() / AbortedEntry::kSize : 0);
  segment->size = segment->last_index_position = 0;
  segment->last_time_entry = -1;
  BatchScanner scanner(**file, 0, size);
  while (true) {
    auto item = scanner.next();
    if (!item) return std::unexpected(item.error());
    if (!*item) break;
    segment->add_batch((*item)->view, (*item)->size, log_.config_.index_interval_bytes);
    report_.scanned_bytes += (*item)->size;
  }
  if (segment->size != size) {
    return io::io_failure(EBADMSG, segment->path(".log") + ": " + scanner.why());
  }
  segment->add_final_time_entry();
  Upkeep upkeep;
  upkeep.directory = log_.directory_;
  log_.add_indexes(upkeep, segment, true);
  if (auto ran = upkeep.run(log_.services_.disk); !ran) return ran;
  if (upkeep.state.load() != Upkeep::State::kDone) return {};  // stays in memory
  segment->offsets.mark_persisted(segment->offsets.count());
  segment->times.mark_persisted(segment->times.count());
  segment->aborted.mark_persisted(segment->aborted.count());
  return {};
}

io::IoResult<Log::Opened> Log::open(const LogServices& services, std::string directory,
                                    const LogConfig& config, const OpenHints& hints) {
  std::unique_ptr<Log> log(new Log(services, std::move(directory), config));
  auto report = Recovery(*log, hints).run();
  if (!report) return std::unexpected(report.error());
  return Opened{std::move(log), *report};
}

}  // namespace broker
