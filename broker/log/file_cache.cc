#include "broker/log/file_cache.h"

#include <algorithm>

namespace broker {

CachedFile::CachedFile(FileCache& cache, std::string path)
    : cache_(cache), path_(std::move(path)) {}

CachedFile::~CachedFile() { close(); }

io::IoResult<std::shared_ptr<io::File>> CachedFile::get() {
  FileCache::Shard& shard = cache_.shard_of(this);
  std::string path;
  {
    std::lock_guard lock(shard.mutex);
    if (pinned_) return pinned_;
    if (file_) {
      shard.used.splice(shard.used.begin(), shard.used, place_);
      used_ = true;
      return file_;
    }
    path = path_;
  }
  auto opened = cache_.disk_.open(path, io::OpenMode::kReadWrite);
  if (!opened) return opened;
  put(*opened);
  return opened;
}

void CachedFile::put(std::shared_ptr<io::File> file) {
  FileCache::Shard& shard = cache_.shard_of(this);
  std::shared_ptr<io::File> evicted;  // closed outside the lock
  std::shared_ptr<io::File> replaced;
  std::lock_guard lock(shard.mutex);
  if (file_) {
    replaced = std::move(file_);
    shard.used.splice(shard.used.begin(), shard.used, place_);
  } else {
    if (shard.used.size() >= cache_.open_max_per_shard_) {
      CachedFile* oldest = shard.used.back();
      evicted = std::move(oldest->file_);
      shard.used.pop_back();
    }
    shard.used.push_front(this);
    place_ = shard.used.begin();
  }
  file_ = std::move(file);
  used_ = true;
}

std::shared_ptr<io::File> CachedFile::peek() {
  std::lock_guard lock(cache_.shard_of(this).mutex);
  return pinned_ ? pinned_ : file_;
}

io::IoResult<void> CachedFile::pin() {
  auto file = get();
  if (!file) return std::unexpected(file.error());
  std::lock_guard lock(cache_.shard_of(this).mutex);
  pinned_ = std::move(*file);
  return {};
}

void CachedFile::close() {
  FileCache::Shard& shard = cache_.shard_of(this);
  std::shared_ptr<io::File> closing;
  std::shared_ptr<io::File> unpinned;
  std::lock_guard lock(shard.mutex);
  unpinned = std::move(pinned_);
  if (!file_) return;
  closing = std::move(file_);
  shard.used.erase(place_);
}

std::string CachedFile::path() const {
  std::lock_guard lock(cache_.shard_of(this).mutex);
  return path_;
}

void CachedFile::renamed(std::string path) {
  std::lock_guard lock(cache_.shard_of(this).mutex);
  path_ = std::move(path);
}

FileCache::FileCache(io::Disk& disk, std::size_t open_max)
    : open_max_per_shard_(std::max<std::size_t>(1, open_max / kShards)), disk_(disk) {}

FileCache::~FileCache() = default;

FileCache::Shard& FileCache::shard_of(const CachedFile* file) {
  // Objects of one kind stand at like alignments: mix the address.
  auto bits = reinterpret_cast<std::uintptr_t>(file);
  bits ^= bits >> 17;
  bits *= 0x9e3779b97f4a7c15ULL;
  return shards_[(bits >> 32) % kShards];
}

std::size_t FileCache::open_count() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    count += shard.used.size();
  }
  return count;
}

std::size_t FileCache::close_idle() {
  std::vector<std::shared_ptr<io::File>> closing;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (auto it = shard.used.begin(); it != shard.used.end();) {
      CachedFile& file = **it;
      if (std::exchange(file.used_, false)) {
        ++it;
        continue;
      }
      closing.push_back(std::move(file.file_));
      it = shard.used.erase(it);
    }
  }
  return closing.size();
}

}  // namespace broker
