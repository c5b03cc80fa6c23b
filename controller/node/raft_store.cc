#include "controller/node/raft_store.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"
#include "controller/node/wal_format.h"

namespace controller {
namespace {

constexpr std::size_t kDigits = 20;

std::string file_name(std::uint64_t number, const char* suffix) {
  char text[40];
  std::snprintf(text, sizeof text, "%020llu%s", static_cast<unsigned long long>(number), suffix);
  return text;
}

std::optional<std::uint64_t> number_of(const std::string& name, std::string_view suffix) {
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, number);
  if (error != std::errc{} || end != name.data() + kDigits) return std::nullopt;
  return number;
}

std::unexpected<io::IoError> damaged(const std::string& path, const std::string& why) {
  return io::io_failure(EBADMSG, path + ": " + why);
}

// What a segment's frames say, up to the first that is not one.
struct Scan {
  wal::Header header;
  raft::HardState hard_state;
  std::vector<raft::Entry> entries;
  std::uint64_t end = 0;
};

io::IoResult<Scan> scan(const std::string& path, base::BytesView bytes, std::uint64_t generation) {
  Scan out;
  std::uint64_t known_durable = 0;
  bool first = true;
  while (auto read = wal::read(bytes, out.end, generation)) {
    known_durable = std::max(known_durable, read->durable);
    if (const auto* header = std::get_if<wal::Header>(&read->frame)) {
      if (!first) return damaged(path, "a second header at " + std::to_string(out.end));
      if (header->version > wal::kVersion) {
        return damaged(path,
                       "version " + std::to_string(header->version) + " is of a newer release");
      }
      out.header = *header;
    } else if (first) {
      return damaged(path, "it does not begin with a header");
    } else if (const auto* hard = std::get_if<raft::HardState>(&read->frame)) {
      out.hard_state = *hard;
    } else {
      auto& entry = std::get<raft::Entry>(read->frame);
      const raft::Index last =
          out.entries.empty() ? out.header.snapshot_index : out.entries.back().index;
      if (entry.index <= out.header.snapshot_index || entry.index > last + 1) {
        return damaged(path, "entry " + std::to_string(entry.index.value()) + " after " +
                                 std::to_string(last.value()) + " at " + std::to_string(out.end));
      }
      out.entries.resize(static_cast<std::size_t>(entry.index - out.header.snapshot_index - 1));
      out.entries.push_back(std::move(entry));
    }
    first = false;
    out.end += read->size;
  }
  if (first) return damaged(path, "it does not begin with a header");
  known_durable = std::max(known_durable, wal::durable_behind(bytes, out.end, generation));
  if (out.end < known_durable) {
    return damaged(path, "damaged at " + std::to_string(out.end) + ", although " +
                             std::to_string(known_durable) + " bytes were synced");
  }
  return out;
}

base::Bytes segment_start(const wal::Header& header, const raft::HardState& hard_state,
                          std::span<const raft::Entry> entries, std::uint64_t durable) {
  base::Bytes frames;
  const std::uint64_t generation = header.generation;
  wal::append(frames, header, generation, 0, durable);
  wal::append(frames, hard_state, generation, frames.size(), durable);
  for (const raft::Entry& each : entries) {
    wal::append(frames, each, generation, frames.size(), durable);
  }
  return frames;
}

}  // namespace

template <class T>
io::IoResult<T> RaftStore::failure(io::IoError error) {
  failed_ = true;
  return std::unexpected(std::move(error));
}

io::IoResult<RaftStore::Opened> RaftStore::open(io::Disk& disk, const std::string& directory,
                                                base::Uuid name) {
  if (auto made = disk.make_directories(directory); !made) return std::unexpected(made.error());
  // A process that was killed may have left names that are not durable yet.
  const auto slash = directory.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : directory.substr(0, slash + 1);
  if (auto synced = disk.sync_directory(parent); !synced) return std::unexpected(synced.error());
  if (auto synced = disk.sync_directory(directory); !synced) return std::unexpected(synced.error());
  auto listed = disk.list(directory);
  if (!listed) return std::unexpected(listed.error());
  std::uint64_t generation = 0;
  for (const auto& each : *listed) {
    generation = std::max(generation, number_of(each.name, ".wal").value_or(0));
  }
  Opened out;
  out.store = std::unique_ptr<RaftStore>(new RaftStore(disk, directory));
  RaftStore& store = *out.store;
  if (generation == 0) {
    for (const auto& each : *listed) {
      if (number_of(each.name, ".snapshot")) {
        return damaged(directory, "there is a snapshot and no log");
      }
    }
    out.fresh = true;
    out.directory = store.name_ = name;
    if (auto made = store.start_segment(1, raft::Snapshot{}, {}, {}); !made) {
      return std::unexpected(made.error());
    }
    return out;
  }

  if (auto read = store.read_back(generation, out); !read) return std::unexpected(read.error());
  if (store.name_.is_zero()) {
    // Of an earlier release: the segment is written again, with a name.
    store.name_ = name;
    if (auto named = store.rename(out.recovered); !named) return std::unexpected(named.error());
  }
  out.directory = store.name_;
  return out;
}

io::IoResult<void> RaftStore::rename(const raft::Recovered& recovered) {
  const auto made =
      start_segment(generation_ + 1, recovered.snapshot, recovered.hard_state, recovered.entries);
  if (!made) return made;
  return remove_others(generation_, recovered.snapshot.index);
}

// Takes in the newest segment and its snapshot, and cuts a torn tail.
io::IoResult<void> RaftStore::read_back(std::uint64_t generation, Opened& out) {
  const std::string path = directory_ + "/" + file_name(generation, ".wal");
  auto content = disk_.read_file(path);
  if (!content) return std::unexpected(content.error());
  auto scanned = scan(path, base::as_bytes(*content), generation);
  if (!scanned) return std::unexpected(scanned.error());
  out.bytes_cut = content->size() - scanned->end;
  name_ = scanned->header.directory;
  out.recovered.hard_state = scanned->hard_state;
  out.recovered.entries = std::move(scanned->entries);
  if (scanned->header.snapshot_index > raft::Index(0)) {
    const std::string snapshot_path =
        directory_ + "/" +
        file_name(static_cast<std::uint64_t>(scanned->header.snapshot_index.value()), ".snapshot");
    auto snapshot_file = disk_.read_file(snapshot_path);
    if (!snapshot_file) return std::unexpected(snapshot_file.error());
    auto snapshot = wal::decode_snapshot(*snapshot_file);
    if (!snapshot || snapshot->index != scanned->header.snapshot_index ||
        snapshot->term != scanned->header.snapshot_term) {
      return damaged(snapshot_path, "it is not the snapshot that it should be");
    }
    out.recovered.snapshot = std::move(*snapshot);
  }

  generation_ = generation;
  auto file = disk_.open(path, io::OpenMode::kReadWrite);
  if (!file) return std::unexpected(file.error());
  file_ = *file;
  end_ = scanned->end;
  if (out.bytes_cut > 0) {
    if (auto cut = file_->truncate(end_); !cut) return std::unexpected(cut.error());
  }
  // What was read may stand in the page cache only, and after a failed sync no other would bring it
  // to the medium: it is written again, for the next start must read the same.
  const auto frames = base::as_bytes(*content).first(end_);
  if (auto wrote = file_->write_at(frames, 0); !wrote) return std::unexpected(wrote.error());
  if (auto synced = file_->sync_data(); !synced) return std::unexpected(synced.error());
  durable_ = end_;
  if (auto removed = remove_others(generation, scanned->header.snapshot_index); !removed) {
    return std::unexpected(removed.error());
  }
  return {};
}

io::IoResult<void> RaftStore::write(const std::optional<raft::HardState>& hard_state,
                                    std::span<const raft::Entry> entries) {
  if (failed_) return io::io_failure(EIO, directory_ + ": failed before");
  base::Bytes frames;
  const auto add = [&](const wal::Frame& frame) {
    wal::append(frames, frame, generation_, end_ + frames.size(), durable_);
  };
  if (hard_state) add(*hard_state);
  for (const raft::Entry& each : entries) add(each);
  if (auto wrote = file_->write_at(frames, end_); !wrote) return failure<void>(wrote.error());
  end_ += frames.size();
  return {};
}

io::IoResult<void> RaftStore::sync() {
  if (failed_) return io::io_failure(EIO, directory_ + ": failed before");
  if (MUTANT("store-skips-sync")) return {};
  if (auto synced = file_->sync_data(); !synced) return failure<void>(synced.error());
  durable_ = end_;
  return {};
}

io::IoResult<void> RaftStore::start_segment(std::uint64_t generation,
                                            const raft::Snapshot& snapshot,
                                            const raft::HardState& hard_state,
                                            std::span<const raft::Entry> entries) {
  // Nothing of it counts before all of it is durable, which replace_file sees to: every frame says
  // so. The size is known only after a first pass.
  base::Bytes frames;
  const wal::Header header{wal::kVersion, generation, snapshot.index, snapshot.term, name_};
  frames = segment_start(header, hard_state, entries, 0);
  frames = segment_start(header, hard_state, entries, frames.size());
  const std::string path = directory_ + "/" + file_name(generation, ".wal");
  if (auto made = disk_.replace_file(path, base::as_text(frames)); !made) {
    return failure<void>(made.error());
  }
  auto file = disk_.open(path, io::OpenMode::kReadWrite);
  if (!file) return failure<void>(file.error());
  file_ = *file;
  generation_ = generation;
  end_ = durable_ = frames.size();
  return {};
}

io::IoResult<void> RaftStore::checkpoint(const raft::Snapshot& snapshot,
                                         const raft::HardState& hard_state,
                                         std::span<const raft::Entry> entries) {
  if (failed_) return io::io_failure(EIO, directory_ + ": failed before");
  CHECK(snapshot.index > raft::Index(0));
  CHECK(entries.empty() || entries.front().index == snapshot.index + 1);
  const std::string path =
      directory_ + "/" + file_name(static_cast<std::uint64_t>(snapshot.index.value()), ".snapshot");
  if (auto made = disk_.replace_file(path, wal::encode_snapshot(snapshot)); !made) {
    return failure<void>(made.error());
  }
  if (MUTANT("store-cuts-log-early")) {
    if (auto removed = remove_others(generation_ + 1, snapshot.index); !removed) return removed;
  }
  if (auto made = start_segment(generation_ + 1, snapshot, hard_state, entries); !made) {
    return made;
  }
  return remove_others(generation_, snapshot.index);
}

io::IoResult<void> RaftStore::remove_others(std::uint64_t generation, raft::Index snapshot) {
  auto listed = disk_.list(directory_);
  if (!listed) return failure<void>(listed.error());
  for (const auto& each : *listed) {
    const auto wal = number_of(each.name, ".wal");
    const auto image = number_of(each.name, ".snapshot");
    const bool stale = (wal && *wal != generation) ||
                       (image && *image != static_cast<std::uint64_t>(snapshot.value())) ||
                       each.name.ends_with(".tmp");
    if (!stale) continue;
    if (auto removed = disk_.remove(directory_ + "/" + each.name); !removed) {
      return failure<void>(removed.error());
    }
  }
  return {};
}

}  // namespace controller
