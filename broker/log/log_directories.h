// The log directories of one broker (log.dirs), each with its lock, its identity, its checkpoints
// and its group commit. A partition is in one of them; a new one goes to the directory with the
// fewest. A directory that cannot be read or written any more takes its own partitions out of
// service and no others: docs/replication.md. Owned by the broker; what is open does not change.
//
// Belongs to another node or cluster, in use, or malformed: that is a mistake of whoever started
// this, and open() fails. A medium that fails while others do not is told by unreadable().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/flusher.h"
#include "broker/log/log_directory.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/io/clock.h"
#include "common/io/executor.h"

namespace broker {

// One that is open.
struct LogStore {
  LogStore(std::unique_ptr<LogDirectory> opened, io::Disk& disk, io::Executor& home,
           const FlusherOptions& options)
      : directory(std::move(opened)),
        flusher(disk, directory->path(), directory->health(), home, options) {}

  const base::Uuid& id() const { return directory->identity().directory_id; }
  bool failed() const { return directory->failed(); }

  const std::unique_ptr<LogDirectory> directory;
  Flusher flusher;
  std::atomic<std::int64_t> partitions{0};  // in it, or about to be
  std::atomic<bool> unsynced{false};        // partitions were created with Durable::kLater
};

class LogDirectories {
 public:
  // What one directory is, before anything is locked or changed.
  struct Candidate {
    std::string path;
    base::Uuid id;  // one from `random` when it has none yet
    std::optional<io::IoError> failure;
  };
  struct Left {
    std::string cluster_id;             // empty: none yet
    base::BrokerEpoch clean_epoch{-1};  // of the registration that ended cleanly in all of them
    std::vector<Candidate> candidates;

    std::vector<base::Uuid> ids() const;  // of those that can be read
    bool some_failed() const;
  };
  struct Unreadable {
    std::string path;
    std::optional<base::Uuid> id;  // of one that could be read at first
    io::IoError error;
  };
  struct Services {
    io::Disk& disk;
    io::Executor& home;  // of the flushers
    const io::Clock& clock;
    base::Diag& diag;
  };

  // Fails when nothing can be read, or with EBADMSG. Blocks.
  static io::IoResult<Left> look_at(io::Disk& disk, const std::vector<std::string>& paths,
                                    base::Random& random);
  // Opens what could be read. Fails when nothing can be opened. Blocks.
  static io::IoResult<std::unique_ptr<LogDirectories>> open(const Services& services,
                                                            const Left& left,
                                                            const std::string& cluster_id,
                                                            base::BrokerId node_id,
                                                            base::Random& random);

  const std::vector<std::unique_ptr<LogStore>>& all() const { return stores_; }
  const std::vector<Unreadable>& unreadable() const { return unreadable_; }
  LogStore& of(const LogDirectory& directory) const;
  // Null when none has this id.
  const LogStore* find(const base::Uuid& id) const;
  // Null when it is not configured, or could not be read.
  LogStore* at(std::string_view path) const;
  bool is_configured(std::string_view path) const;
  // The one that holds the partition; null when none does. Where two do, the one that is `told`:
  // the other was out of reach when the partition was made anew; before that, one that moved here
  // from the other. EEXIST: two, and neither is.
  // An error, too, when none holds it and one that had it at the start cannot be read any more,
  // which is out of service from then on; and when the one that is `told` cannot be reached and
  // another one holds it, which is what was left there before. Blocks.
  io::IoResult<LogStore*> holding(const PartitionName& name,
                                  const std::optional<base::Uuid>& told = std::nullopt) const;
  // Those that hold it as well, although it is in `held_by`, by no move between them: they were out
  // of reach when it was taken away. Blocks.
  std::vector<LogStore*> leftovers(const PartitionName& name, const LogStore& held_by) const;
  // For a new partition, which is counted from now on: in service, with space if there is one, with
  // the fewest partitions; or `wanted` while it is in service. Null when none is. Any thread.
  LogStore* take_place(LogStore* wanted = nullptr);

  // The one that has failed with this partition in it, as far as is known; null: none.
  const LogStore* lost_with(const PartitionName& name) const;
  // Of one that was known to be in a directory with this id: it cannot be reached, so that nothing
  // must be made in its place.
  bool is_out_of_reach(const base::Uuid& id) const;
  std::vector<base::Uuid> failed_ids() const;
  std::vector<base::Uuid> full_ids() const;
  // Nothing is in service any more: why.
  std::optional<io::IoError> failure() const;
  // Out of service, or unreadable from the start.
  std::size_t failed_count() const;

  // Home. Flusher::stop() of all.
  void stop_flushing(std::move_only_function<void()> done);
  void abandon();

 private:
  LogDirectories() = default;
  io::IoResult<void> settle_moves(LogStore& store, base::Random& random);

  std::vector<std::unique_ptr<LogStore>> stores_;  // not empty
  std::vector<Unreadable> unreadable_;
};

}  // namespace broker
