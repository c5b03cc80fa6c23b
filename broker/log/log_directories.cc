#include "broker/log/log_directories.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {
namespace {

// Of whoever configured it, rather than of the medium.
bool is_mistake(const io::IoError& error) {
  return error.code == EBADMSG || error.code == EINVAL || error.code == EWOULDBLOCK;
}

io::IoResult<std::int64_t> count_partitions(io::Disk& disk, const std::string& path) {
  auto entries = disk.list(path);
  if (!entries) return std::unexpected(entries.error());
  return std::ranges::count_if(*entries, [](const io::DirectoryEntry& entry) {
    return entry.is_directory && PartitionName::parse(entry.name).has_value();
  });
}

}  // namespace

// ---- what is there

std::vector<base::Uuid> LogDirectories::Left::ids() const {
  std::vector<base::Uuid> out;
  for (const Candidate& each : candidates) {
    if (!each.failure) out.push_back(each.id);
  }
  return out;
}

bool LogDirectories::Left::some_failed() const {
  return std::ranges::any_of(candidates,
                             [](const Candidate& each) { return each.failure.has_value(); });
}

io::IoResult<LogDirectories::Left> LogDirectories::look_at(io::Disk& disk,
                                                           const std::vector<std::string>& paths,
                                                           base::Random& random) {
  Left out;
  std::optional<base::BrokerEpoch> clean;
  std::optional<io::IoError> failure;
  bool some_read = false;
  for (const std::string& path : paths) {
    auto left = LogDirectory::look_at(disk, path);
    if (!left && is_mistake(left.error())) return std::unexpected(left.error());
    if (!left) {
      failure = left.error();
      out.candidates.push_back({path, {}, left.error()});
      clean = base::BrokerEpoch(-1);
      continue;
    }
    some_read = true;
    if (out.cluster_id.empty()) out.cluster_id = left->cluster_id;
    // A new one has nothing to have lost.
    const bool is_new = left->directory_id.is_zero();
    if (!is_new) {
      clean = !clean || *clean == left->clean_epoch ? left->clean_epoch : base::BrokerEpoch(-1);
    }
    out.candidates.push_back(
        {path, is_new ? base::Uuid::random(random) : left->directory_id, std::nullopt});
  }
  if (!some_read) return std::unexpected(*failure);
  out.clean_epoch = clean.value_or(base::BrokerEpoch(-1));
  return out;
}

// ---- opening

io::IoResult<std::unique_ptr<LogDirectories>> LogDirectories::open(const Services& services,
                                                                   const Left& left,
                                                                   const std::string& cluster_id,
                                                                   base::BrokerId node_id,
                                                                   base::Random& random) {
  std::unique_ptr<LogDirectories> out(new LogDirectories());
  for (const Candidate& each : left.candidates) {
    if (each.failure) {
      out->unreadable_.push_back({each.path, std::nullopt, *each.failure});
      continue;
    }
    auto opened = LogDirectory::open(services.disk, each.path, cluster_id, node_id, random,
                                     services.diag, {.new_id = each.id});
    auto count = opened ? count_partitions(services.disk, each.path)
                        : io::IoResult<std::int64_t>(std::unexpected(opened.error()));
    if (!count) {
      if (is_mistake(count.error())) return std::unexpected(count.error());
      out->unreadable_.push_back({each.path, each.id, count.error()});
      continue;
    }
    out->stores_.push_back(std::make_unique<LogStore>(std::move(*opened), services.disk,
                                                      services.home,
                                                      FlusherOptions{.clock = &services.clock}));
    out->stores_.back()->partitions = *count;
  }
  for (const auto& store : out->stores_) {
    // What cannot be settled stays marked; holding() knows what counts.
    if (auto done = out->settle_moves(*store, random); !done) {
      services.diag.warn("log", "a move between log directories could not be finished",
                         {{"directory", store->directory->path()}, {"error", done.error().what}});
    }
  }
  for (const Unreadable& each : out->unreadable_) {
    services.diag.error("log", "a log directory cannot be used: its partitions are out of service",
                        {{"directory", each.path}, {"error", each.error.what}});
  }
  if (out->stores_.empty()) return std::unexpected(out->unreadable_.front().error);
  return out;
}

// What has moved here is taken away where it came from, if that can be reached.
io::IoResult<void> LogDirectories::settle_moves(LogStore& store, base::Random& random) {
  auto names = store.directory->moved_here();
  if (!names) return std::unexpected(names.error());
  for (const auto& [name, origin] : *names) {
    const auto from = std::ranges::find_if(
        stores_, [&](const auto& each) { return each->id() == origin && each.get() != &store; });
    if (from == stores_.end() && !unreadable_.empty()) continue;
    if (from != stores_.end() && (*from)->directory->holds(name)) {
      auto trash = (*from)->directory->delete_partition(name, random);
      if (!trash) return std::unexpected(trash.error());
      --(*from)->partitions;
      // If it stays, the next start removes it.
      (void)(*from)->directory->remove_trash(*trash);
    }
    if (auto done = store.directory->forget_origin(name); !done) return done;
  }
  return {};
}

// ---- which one

LogStore* LogDirectories::at(std::string_view path) const {
  const auto found = std::ranges::find_if(
      stores_, [&](const auto& store) { return store->directory->path() == path; });
  return found == stores_.end() ? nullptr : found->get();
}

bool LogDirectories::is_configured(std::string_view path) const {
  return at(path) != nullptr ||
         std::ranges::find(unreadable_, path, &Unreadable::path) != unreadable_.end();
}

LogStore& LogDirectories::of(const LogDirectory& directory) const {
  const auto found = std::ranges::find(stores_, &directory,
                                       [](const auto& store) { return store->directory.get(); });
  CHECK(found != stores_.end());
  return **found;
}

const LogStore* LogDirectories::find(const base::Uuid& id) const {
  const auto found =
      std::ranges::find_if(stores_, [&](const auto& store) { return store->id() == id; });
  return found == stores_.end() ? nullptr : found->get();
}

io::IoResult<LogStore*> LogDirectories::holding(const PartitionName& name,
                                                const std::optional<base::Uuid>& told) const {
  std::vector<LogStore*> found;
  std::optional<io::IoError> unknown;
  for (const auto& store : stores_) {
    const auto there = store->directory->left().look_for(name);
    if (!there) {
      store->directory->health().fail(there.error());
      unknown = there.error();
    } else if (*there) {
      found.push_back(store.get());
    }
  }
  if (found.empty() && unknown) return std::unexpected(*unknown);
  if (found.empty()) return nullptr;
  if (found.size() == 1 && (!told || told == found.front()->id())) return found.front();
  for (LogStore* store : found) {
    const auto mark = store->directory->move_mark(name);
    if (mark && *mark && (*mark)->counts) return store;
  }
  for (LogStore* store : found) {
    if (told == store->id()) return store;
  }
  if (told && is_out_of_reach(*told) && !MUTANT("takes-what-was-left-elsewhere")) {
    return io::io_failure(EIO, "its log directory is out of service; what " +
                                   found[0]->directory->path() + " has of it is older");
  }
  if (found.size() == 1) return found.front();
  return io::io_failure(EEXIST, name.to_string() + " is in " + found[0]->directory->path() +
                                    " and in " + found[1]->directory->path() +
                                    ": take one of them away");
}

std::vector<LogStore*> LogDirectories::leftovers(const PartitionName& name,
                                                 const LogStore& held_by) const {
  std::vector<LogStore*> out;
  if (MUTANT("takes-what-was-left-elsewhere")) return out;
  for (const auto& store : stores_) {
    if (store.get() == &held_by || store->failed() || !store->directory->left().contains(name)) {
      continue;
    }
    const auto mark = store->directory->move_mark(name);
    if (mark && !*mark) out.push_back(store.get());
  }
  return out;
}

LogStore* LogDirectories::take_place(LogStore* wanted) {
  if (wanted != nullptr && !wanted->failed()) {
    ++wanted->partitions;
    return wanted;
  }
  LogStore* best = nullptr;
  const auto is_better = [](const LogStore& one, const LogStore& other) {
    const bool full = one.directory->health().full();
    if (full != other.directory->health().full()) return !full;
    return one.partitions < other.partitions;
  };
  for (const auto& store : stores_) {
    if (store->failed()) continue;
    if (best == nullptr || is_better(*store, *best)) best = store.get();
  }
  if (best != nullptr) ++best->partitions;
  return best;
}

// ---- failures

const LogStore* LogDirectories::lost_with(const PartitionName& name) const {
  const auto found = std::ranges::find_if(stores_, [&](const auto& store) {
    return store->failed() && store->directory->left().contains(name);
  });
  return found == stores_.end() ? nullptr : found->get();
}

bool LogDirectories::is_out_of_reach(const base::Uuid& id) const {
  const LogStore* store = find(id);
  return store != nullptr ? store->failed() : !unreadable_.empty();
}

std::vector<base::Uuid> LogDirectories::failed_ids() const {
  std::vector<base::Uuid> out;
  for (const auto& store : stores_) {
    if (store->failed()) out.push_back(store->id());
  }
  for (const Unreadable& each : unreadable_) {
    if (each.id) out.push_back(*each.id);
  }
  return out;
}

std::vector<base::Uuid> LogDirectories::full_ids() const {
  std::vector<base::Uuid> out;
  for (const auto& store : stores_) {
    if (store->directory->health().full() && !store->failed()) out.push_back(store->id());
  }
  return out;
}

std::optional<io::IoError> LogDirectories::failure() const {
  for (const auto& store : stores_) {
    if (!store->failed()) return std::nullopt;
  }
  return stores_.front()->directory->failure();
}

std::size_t LogDirectories::failed_count() const {
  return unreadable_.size() + static_cast<std::size_t>(std::ranges::count_if(
                                  stores_, [](const auto& store) { return store->failed(); }));
}

// ---- the end

void LogDirectories::stop_flushing(std::move_only_function<void()> done) {
  auto left = std::make_shared<std::size_t>(stores_.size());
  auto shared = std::make_shared<std::move_only_function<void()>>(std::move(done));
  for (const auto& store : stores_) {
    store->flusher.stop([left, shared] {
      if (--*left == 0) (*shared)();
    });
  }
}

void LogDirectories::abandon() {
  for (const auto& store : stores_) store->flusher.abandon();
}

}  // namespace broker
