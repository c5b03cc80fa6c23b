// Which partitions this broker holds, led or followed, made to follow the metadata: opens, creates
// and deletes logs, gives roles, applies configs, and does the chores of logs (retention,
// checkpoints, idle files). Lives on one executor (the home); what blocks runs elsewhere. The table
// it keeps is read by all.
//
//   image change -> queue -> roles of what is open -> delete, then open or create, off the home
//                -> new table, roles of what was opened -> waiters
//
// Which log directory has a partition is asked of the disks; a new one goes where the fewest are.
// What was in a directory that is out of reach is not made anew elsewhere.
//
// A directory whose topic id differs from the metadata's is set aside as "<name>.<id>-stray": data
// is never thrown away on a doubt.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/log/cleaner.h"
#include "broker/log/log_directories.h"
#include "broker/node/node.h"
#include "broker/node/partition.h"
#include "broker/node/replica_moves.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/meta/delta.h"

namespace broker {

class Hosting {
 public:
  struct Chores {
    std::size_t openers = 2;  // logs opened side by side
    // From this many logs of one change on, new ones are made durable by one sync for all: three
    // for each would be most of what creating a big topic costs.
    std::size_t sync_together_from = 8;
    base::Duration checkpoint_every = std::chrono::seconds(5);
    // How long what is not covered by indexes on disk may stay so; RecoveryDebt bounds the bytes.
    base::Duration debt_paid_every = std::chrono::minutes(1);
    base::Duration retention_every = std::chrono::minutes(5);
    base::Duration reopen_every = std::chrono::seconds(1);  // what a full disk kept from opening
  };
  Hosting(Node& node, io::Disk& disk, LogDirectories& directories, io::Executor& home,
          base::Random random, Chores chores);
  ~Hosting();
  Hosting(const Hosting&) = delete;
  Hosting& operator=(const Hosting&) = delete;

  // Home. The image and what changed in it, in order (MetadataFollower::OnChange).
  void on_change(const meta::ImagePtr& after, const meta::Delta& delta);
  // Runs `work` on `back` once the table reflects the metadata at `offset`. Any thread.
  void when_applied(base::Offset offset, io::Executor& back, io::Executor::Work work);
  // Home. Starts the chores; after the first image was applied.
  void start_chores();

  // DeleteRecords: the partition starts at `offset` from now on (nothing: at the high watermark),
  // durably. `done` gets the new start, or the error, on `back`. Any thread.
  using Deleted = std::move_only_function<void(wire::ErrorCode, base::Offset start)>;
  void delete_records(std::shared_ptr<Partition> partition, std::optional<base::Offset> offset,
                      io::Executor& back, Deleted done);
  // AlterReplicaLogDirs: an answer for each, once it is on its way. `done` on `back`. Any thread.
  struct Alteration {
    PartitionName name;
    std::string path;  // of the log directory
    wire::ErrorCode error = wire::ErrorCode::kNone;
  };
  using Altered = std::move_only_function<void(std::vector<Alteration>)>;
  void alter_directories(std::vector<Alteration> wanted, io::Executor& back, Altered done);
  // Home. Told of each partition that is in another log directory from then on.
  void on_moved(std::function<void(const Partition&)> moved) { moved_ = std::move(moved); }
  // Any thread.
  std::vector<ReplicaMoves::View> moves() const { return moves_.views(); }
  const ReplicaMoves::Stats& move_stats() const { return moves_.stats(); }
  // Applies retention to everything now, as the chore does. Home; `done` on it.
  void run_retention(std::move_only_function<void()> done);

  // Home. Closes every partition and, when all went well, leaves the clean-shutdown marker.
  // Nothing may call the partitions any more. The flusher was stopped.
  void stop(std::move_only_function<void()> done);

  // Of all directories together; nothing before start_chores(). Any thread, once there.
  Cleaner::Stats cleaner_stats() const;

  // For health pages. Any thread.
  struct Progress {
    std::uint64_t partitions_to_open = 0;
    std::uint64_t partitions_open = 0;
    std::uint64_t recovered_bytes = 0;
    bool ready = false;  // the first image was applied
  };
  Progress progress() const;

 private:
  struct Change {
    meta::ImagePtr image;
    meta::Delta delta;
  };
  struct Opening;  // one partition on its way into the table
  struct Round;    // the work of one change
  struct Shared;   // what outlives Hosting in late callbacks

  void begin_next();
  void plan(Round& round);
  void plan_topic(Round& round, const meta::TopicDelta& topic);
  void apply_live(const Change& change);
  ReplicaServices replica_services(LogStore& store);
  std::shared_ptr<const LiveBrokers> live_for(const meta::Partition& state) const;
  void remove_gone(std::shared_ptr<Round> round);
  void remove_one(std::shared_ptr<Partition> partition, std::shared_ptr<Round> round);
  void open_all(std::shared_ptr<Round> round);
  void sync_created(std::shared_ptr<Round> round);
  void open_one(Round& round, Opening& opening);  // worker thread
  void set_leftovers_aside(const LogStore& held_by, const Opening& opening);
  LogStore* open_there(LogStore& store, Opening& opening, std::unique_ptr<Log>& log);
  LogStore* create(Round& round, Opening& opening, std::unique_ptr<Log>& log);
  void publish(std::shared_ptr<Round> round);
  void reopen();
  void apply_configs(const Change& change);
  void remove_later(Removal removal, std::int64_t delay_ms);
  void wake_waiters();
  Cleaner::Options cleaner_options() const;
  struct Closing;
  void close_logs(std::move_only_function<void()> done);
  bool close_log(Partition& partition);  // blocks
  void mark_clean(const std::shared_ptr<Closing>& closing);
  void stop_cleaners(std::move_only_function<void()> done);
  void write_checkpoints();
  void pay_recovery_debt(LogDirectory& directory);  // worker thread
  void arm(base::Timer& timer, base::Duration after);
  std::shared_ptr<const config::TopicConfig> resolve(const meta::Image& image,
                                                     const meta::Topic& topic) const;
  std::vector<std::shared_ptr<Partition>> all_partitions() const;
  // Worker thread: moves starts, makes them durable, takes what may go. False when the directory
  // failed.
  struct Advance {
    std::shared_ptr<Partition> partition;
    std::optional<base::Offset> to;  // nothing: by retention
    wire::ErrorCode error = wire::ErrorCode::kNone;
    base::Offset start{-1};
    Removal removal;
  };
  void advance_all(std::vector<Advance>& advances);
  void advance_in(LogStore& store, std::vector<Advance>& advances);
  void settle_removals(std::vector<Advance>& advances);

  Node& node_;
  io::Disk& disk_;
  LogDirectories& directories_;
  io::Executor& home_;
  base::Random random_;
  std::uint64_t removed_ = 0;  // home; partitions taken away so far
  const Chores chores_;
  std::deque<Change> queue_;
  std::shared_ptr<const LiveBrokers> live_;  // as of the last change that was begun
  // Of those, likewise, who has a log directory that cannot be written.
  std::map<base::BrokerId, meta::BrokerPtr> troubled_;
  bool working_ = false;
  base::Offset applied_{-1};
  struct Waiter {
    io::Executor* back;
    io::Executor::Work work;
  };
  std::multimap<base::Offset, Waiter> waiters_;
  base::Timer checkpoint_timer_;
  base::Timer retention_timer_;
  base::Timer reopen_timer_;
  std::set<base::Uuid> unopened_;  // topics with partitions that a full disk kept from opening
  meta::ImagePtr image_;           // as applied
  bool checkpointing_ = false;
  bool debt_due_ = false;
  base::Instant debt_paid_{};
  bool stopping_ = false;
  std::map<std::uint64_t, std::unique_ptr<base::Timer>> removals_;
  std::uint64_t next_removal_ = 0;
  std::shared_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Cleaner>> cleaners_;  // one for each directory
  // Held by what works on a directory and the partitions in it: none leaves it meanwhile.
  std::mutex placement_;
  std::function<void(const Partition&)> moved_;
  ReplicaMoves moves_;
};

// The part of a topic's configuration that its logs obey.
LogConfig log_config(const config::TopicConfig& config);

}  // namespace broker
