#include "broker/log/compact_swap.h"

#include <cerrno>

namespace broker {
namespace {

constexpr std::string_view kIndexes[] = {".index", ".timeindex", ".txnindex"};
constexpr std::string_view kSuffixes[] = {".index", ".timeindex", ".txnindex", ".log"};

io::IoResult<void> rename_if_there(io::Disk& disk, const std::string& from, const std::string& to) {
  auto renamed = disk.rename(from, to);
  if (!renamed && renamed.error().code != ENOENT) return renamed;
  return {};
}

io::IoResult<void> remove_if_there(io::Disk& disk, const std::string& path) {
  auto removed = disk.remove(path);
  if (!removed && removed.error().code != ENOENT) return removed;
  return {};
}

io::IoResult<std::vector<AbortedTxn>> read_aborted(io::Disk& disk, const std::string& path) {
  std::vector<AbortedTxn> txns;
  auto text = disk.read_file(path);
  if (!text) {
    if (text.error().code == ENOENT) return txns;
    return std::unexpected(text.error());
  }
  base::BytesView bytes = base::as_bytes(*text);
  for (; bytes.size() >= kAbortedTxnSize; bytes = bytes.subspan(kAbortedTxnSize)) {
    const auto txn = read_aborted_txn(bytes);
    if (!txn) return io::io_failure(EBADMSG, path + ": malformed");
    txns.push_back(*txn);
  }
  return txns;
}

}  // namespace

SegmentSwap::SegmentSwap(FileCache& files, const std::string& directory,
                         std::vector<std::shared_ptr<Segment>> olds)
    : directory_(directory),
      olds_(std::move(olds)),
      fresh_(std::make_shared<Segment>(files, directory, olds_.front()->base(),
                                       olds_.back()->created)) {
  fresh_->start_empty();
}

io::IoResult<std::shared_ptr<io::File>> SegmentSwap::create(io::Disk& disk) {
  std::lock_guard lock(running_);
  if (state() != State::kPending) return io::io_failure(ECANCELED, "compaction was ended");
  remove_outputs(disk);
  auto file = disk.open(fresh_->path(".log.cleaned"), io::OpenMode::kCreateEmpty);
  if (file) output_ = *file;
  return file;
}

io::IoResult<void> SegmentSwap::write_index(io::Disk& disk, std::string_view suffix,
                                            base::BytesView content) {
  auto file = disk.open(fresh_->path(std::string(suffix) + ".cleaned"), io::OpenMode::kCreateEmpty);
  if (!file) return std::unexpected(file.error());
  if (!content.empty()) {
    if (auto wrote = (*file)->write_at(content, 0); !wrote) return wrote;
  }
  return (*file)->sync_data();
}

io::IoResult<void> SegmentSwap::prepare(io::Disk& disk) {
  std::lock_guard lock(running_);
  if (state() != State::kPending) return io::io_failure(ECANCELED, "compaction was ended");
  if (auto synced = output_->sync_data(); !synced) return synced;
  fresh_->add_final_time_entry();
  if (auto wrote = write_index(disk, ".index", fresh_->offsets.encode_tail()); !wrote) return wrote;
  if (auto wrote = write_index(disk, ".timeindex", fresh_->times.encode_tail()); !wrote) {
    return wrote;
  }
  if (fresh_->aborted.count() > 0) {
    if (auto wrote = write_index(disk, ".txnindex", fresh_->aborted.encode_tail()); !wrote) {
      return wrote;
    }
  }
  for (const auto& old : olds_) {
    for (CachedFile* file : {&old->log_file(), &old->offset_file(), &old->time_file()}) {
      if (auto pinned = file->pin(); !pinned) return pinned;
    }
    auto aborted = read_aborted(disk, old->path(".txnindex"));
    if (!aborted) return std::unexpected(aborted.error());
    aborted_.push_back(std::move(*aborted));
  }
  return disk.sync_directory(directory_);
}

// Up to the rename of the data nothing has happened to the log.
io::IoResult<void> SegmentSwap::commit(io::Disk& disk) {
  for (std::string_view suffix : kIndexes) {
    const std::string path = fresh_->path(suffix);
    if (auto renamed = rename_if_there(disk, path + ".cleaned", path + ".swap"); !renamed) {
      return renamed;
    }
  }
  return disk.sync_directory(directory_);
}

// Recovery does the same with what it finds.
io::IoResult<void> SegmentSwap::complete(io::Disk& disk) {
  const std::string log = fresh_->path(".log");
  if (auto renamed = disk.rename(log + ".cleaned", log + ".swap"); !renamed) return renamed;
  if (auto synced = disk.sync_directory(directory_); !synced) return synced;
  for (auto old = olds_.rbegin(); old != olds_.rend(); ++old) {
    for (std::string_view suffix : kSuffixes) {
      if (auto removed = remove_if_there(disk, (*old)->path(suffix)); !removed) return removed;
    }
  }
  if (auto synced = disk.sync_directory(directory_); !synced) return synced;
  for (std::string_view suffix : kIndexes) {
    const std::string path = fresh_->path(suffix);
    if (auto renamed = rename_if_there(disk, path + ".swap", path); !renamed) return renamed;
  }
  if (auto synced = disk.sync_directory(directory_); !synced) return synced;
  if (auto renamed = disk.rename(log + ".swap", log); !renamed) return renamed;
  return disk.sync_directory(directory_);
}

io::IoResult<void> SegmentSwap::run(io::Disk& disk) {
  std::lock_guard lock(running_);
  if (state() != State::kPending) return io::io_failure(ECANCELED, "compaction was ended");
  if (auto committed = commit(disk); !committed) {
    state_.store(State::kAbandoned, std::memory_order_release);
    remove_outputs(disk);
    return committed;
  }
  auto completed = complete(disk);
  state_.store(completed ? State::kDone : State::kFailed, std::memory_order_release);
  return completed;
}

void SegmentSwap::remove_outputs(io::Disk& disk) {
  for (std::string_view suffix : kSuffixes) {
    for (std::string_view stage : {".cleaned", ".swap"}) {
      (void)disk.remove(fresh_->path(suffix) + std::string(stage));
    }
  }
}

// One that finish() has ended leaves its files: the directory may be another partition's by now.
void SegmentSwap::drop(io::Disk& disk) {
  std::lock_guard lock(running_);
  if (state() != State::kPending) return;
  state_.store(State::kAbandoned, std::memory_order_release);
  output_.reset();
  remove_outputs(disk);
}

void SegmentSwap::finish() {
  std::lock_guard lock(running_);
  auto expected = State::kPending;
  state_.compare_exchange_strong(expected, State::kAbandoned);
}

}  // namespace broker
