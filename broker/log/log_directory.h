// One directory of logs (log.dirs): its lock, its identity, its checkpoints, the partitions in it.
// Layout and files are Apache Kafka's; docs/log_format.md. Owned by the node; every call blocks and
// may come from any thread unless it says otherwise, so partitions can be opened side by side.
//
// A life: open() - partitions() - open_partition() for each - service - Log::close() for
// each - close_clean(). The clean-shutdown marker is written last and removed
// before any partition is opened, so a crash while recovering is a crash.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/log/file_cache.h"
#include "broker/log/full_disk.h"  // IWYU pragma: export
#include "broker/log/left_partitions.h"
#include "broker/log/log.h"
#include "broker/log/log_config.h"
#include "broker/log/log_health.h"
#include "broker/log/move_mark.h"
#include "broker/log/offset_checkpoint.h"
#include "broker/log/partition_name.h"
#include "broker/log/recovery_debt.h"
#include "common/base/diag.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/io/disk.h"

namespace broker {

// meta.properties.
struct DirectoryIdentity {
  std::string cluster_id;
  base::BrokerId node_id;
  base::Uuid directory_id;
};

class LogDirectory {
 public:
  struct Options {
    std::size_t open_files_max = FileCache::kDefaultOpenMax;
    std::uint64_t recovery_bytes_max = RecoveryDebt::kLimit;
    base::Uuid new_id;  // of a directory that has none yet; zero: one from `random`
  };
  struct Found {
    PartitionName name;
    std::optional<base::Uuid> topic_id;  // from partition.metadata
  };

  // What the process before left; nothing is changed or locked. A directory that is missing or new
  // has none of it. EBADMSG: malformed.
  struct Left {
    std::string cluster_id;             // empty: none yet
    base::Uuid directory_id;            // zero: none yet
    base::BrokerEpoch clean_epoch{-1};  // of the registration that ended cleanly
  };
  static io::IoResult<Left> look_at(io::Disk& disk, const std::string& path);

  // Makes and locks the directory, checks that it belongs to `want` (writing meta.properties with a
  // new directory id when there is none), takes note of the clean-shutdown marker and
  // removes it, mends what a failed sync left (failed_sync.h), removes leftovers of deletes, names
  // what was set aside.
  // Errors: EWOULDBLOCK held by another process, EINVAL belongs to another node or cluster, EBADMSG
  // malformed.
  static io::IoResult<std::unique_ptr<LogDirectory>> open(io::Disk& disk, std::string path,
                                                          const std::string& cluster_id,
                                                          base::BrokerId node_id,
                                                          base::Random& random, base::Diag& diag,
                                                          Options options);
  ~LogDirectory();

  const std::string& path() const { return path_; }
  const DirectoryIdentity& identity() const { return identity_; }
  // The partition's directory is there. Blocks.
  bool holds(const PartitionName& name) const { return disk_.exists(partition_path(name)); }
  LeftPartitions& left() { return left_; }
  // Writes a little, takes it away again, and notes in health() whether there was space. Blocks.
  void try_space();
  // How the process before ended.
  bool was_clean() const { return was_clean_; }
  LogHealth& health() { return health_; }
  FileCache& files() { return files_; }
  RecoveryDebt& debt() { return debt_; }
  LogServices services();
  // Out of service; see LogHealth::reason().
  bool failed() const { return health_.failed(); }
  std::optional<io::IoError> failure() const { return health_.reason(); }

  // Sorted by name. Without what a crash left of a partition that was just being created.
  io::IoResult<std::vector<Found>> partitions() const;
  io::IoResult<Log::Opened> open_partition(const PartitionName& name, const LogConfig& config,
                                           base::WallMs now, bool tolerate_loss = false);
  // A new, empty partition. EEXIST: one with records is there already. kNow: durable when this
  // returns. kLater: with the next sync_created(), before which nothing may be appended; a crash
  // leaves it, nothing, or an empty directory that is made anew or adopted.
  enum class Durable : std::uint8_t { kNow, kLater };
  io::IoResult<std::unique_ptr<Log>> create_partition(const PartitionName& name,
                                                      const base::Uuid& topic_id,
                                                      const LogConfig& config, base::WallMs now,
                                                      Durable durable = Durable::kNow);
  // One sync for all that was created with kLater.
  io::IoResult<void> sync_created();
  // Takes the partition's directory away, durably: a crash does not bring it back. Returns the path
  // to remove_all() later. The Log must not be used for writing any more.
  io::IoResult<std::string> delete_partition(const PartitionName& name, base::Random& random);
  // Keeps what is there under the partition's name, for people, under one that ends in -stray.
  // Durable; `why` is one of a few constants.
  io::IoResult<void> set_aside(const PartitionName& name, const base::Uuid& topic_id,
                               std::string_view why);

  // ---- moving partitions between directories (log_directory_move.cc)
  // A copy that is being filled. `log` is null when this is only what was found.
  struct Future {
    PartitionName name;
    std::string path;
    std::unique_ptr<Log> log;
  };
  static bool fits_future_name(const PartitionName& name);
  // An empty copy that begins at `start`. EEXIST: the partition, or what may be it, is here. A
  // crash leaves it a future.
  io::IoResult<Future> create_future(const PartitionName& name, const base::Uuid& topic_id,
                                     base::Offset start, const LogConfig& config, base::WallMs now,
                                     base::Random& random);
  // Gives it the partition's name, with a mark that it does not count, and opens its log anew. A
  // crash makes it a future again.
  io::IoResult<void> place_future(Future& future, const base::Uuid& origin, base::WallMs now);
  // From now on what was placed counts, not what is in `origin`. Durable.
  io::IoResult<void> adopt_placed(const PartitionName& name, const base::Uuid& origin);
  // Nothing is in the origin any more. Durable.
  io::IoResult<void> forget_origin(const PartitionName& name);
  // Removes it, placed or not; a crash in between leaves a future or nothing.
  io::IoResult<void> discard_future(Future& future, base::Random& random);
  // Those that the process before left; not those of this one. Does not block.
  const std::vector<Future>& left_futures() const { return left_futures_; }
  // One that was left, of a partition that nobody has here: it is kept under a name that ends in
  // -stray.
  io::IoResult<void> set_aside(const Future& future);
  // What is marked as having moved here, and the id of where from.
  io::IoResult<std::vector<std::pair<PartitionName, base::Uuid>>> moved_here() const;
  io::IoResult<void> remove_trash(const std::string& path) { return disk_.remove_all(path); }
  io::IoResult<std::optional<MoveMark>> move_mark(const PartitionName& name) const;

  // Offsets to be written with the next checkpoint. Any thread, do not block.
  void note_recovery_point(const PartitionName& name, base::Offset offset);
  void note_start(const PartitionName& name, base::Offset offset);
  void note_high_watermark(const PartitionName& name, base::Offset offset);
  std::optional<base::Offset> start_of(const PartitionName& name) const;
  std::optional<base::Offset> recovery_point_of(const PartitionName& name) const;
  std::optional<base::Offset> high_watermark_of(const PartitionName& name) const;
  // Durable when they return. Failing takes the directory out of service, except for ENOSPC.
  io::IoResult<void> write_starts();           // before removals, and before DeleteRecords answers
  io::IoResult<void> write_recovery_points();  // every so often, and before a truncation
  io::IoResult<void> write_high_watermarks();

  // Writes all checkpoints and then the clean-shutdown marker. Every Log was closed with success,
  // its recovery point and start noted. `broker_epoch` is -1 when unknown.
  io::IoResult<void> close_clean(base::BrokerEpoch broker_epoch);

  std::string partition_path(const PartitionName& name) const {
    return path_ + "/" + name.to_string();
  }

 private:
  LogDirectory(io::Disk& disk, std::string path, base::Diag& diag, Options options);
  io::IoResult<void> load_identity(const std::string& cluster_id, base::BrokerId node_id,
                                   const base::Uuid& fresh);
  io::IoResult<void> take_clean_marker();
  io::IoResult<void> load_checkpoints();
  io::IoResult<void> remove_leftovers();
  io::IoResult<void> rename_partition(const PartitionName& name, const std::string& to);
  io::IoResult<void> set_copies_aside(base::Random& random);
  io::IoResult<void> find_futures();
  std::string future_path(const PartitionName& name, base::Random& random) const;
  io::IoResult<void> noted(io::IoResult<void> result);
  io::IoResult<void> write_checkpoint(OffsetCheckpoint& checkpoint);
  io::IoResult<void> make_place(const PartitionName& name, const std::string& path);
  io::IoResult<void> clear_place(const std::string& path);
  io::IoResult<void> write_metadata(const std::string& path, const base::Uuid& topic_id,
                                    Durable durable);
  void note_failure(const io::IoError& error);
  io::IoResult<bool> has_segments(const std::string& partition_path) const;

  io::Disk& disk_;
  const std::string path_;
  base::Diag& diag_;
  std::unique_ptr<io::DirectoryLock> lock_;
  DirectoryIdentity identity_;
  bool was_clean_ = false;
  LogHealth health_;
  FileCache files_;
  RecoveryDebt debt_;
  std::vector<Future> left_futures_;
  LeftPartitions left_;
  OffsetCheckpoint recovery_points_;
  OffsetCheckpoint starts_;
  OffsetCheckpoint high_watermarks_;
};

}  // namespace broker
