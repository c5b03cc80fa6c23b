// Replicas that are to change their log directory (AlterReplicaLogDirs), and where replicas are to
// be made that are not here yet. A few are copied at a time, within the broker's throttle; the
// others wait, their (empty) copies already there, so that a restart finds them and goes on.
//
// Owned by Hosting. Home executor, except for what is said to be of any thread.
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

#include "broker/log/log_directories.h"
#include "broker/node/node.h"
#include "broker/node/replica_copy.h"
#include "common/base/histogram.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"

namespace broker {

class ReplicaMoves {
 public:
  // All outlive it. `moved` is called when a partition is in another directory, with what is left
  // of it in the old one.
  struct Services {
    Node& node;
    io::Disk& disk;
    LogDirectories& directories;
    io::Executor& home;
    std::mutex& placement;  // see ReplicaCopy
    std::function<void(const std::shared_ptr<Partition>&, std::string trash)> moved;
  };
  ReplicaMoves(const Services& services, base::Random random);
  ~ReplicaMoves();
  ReplicaMoves(const ReplicaMoves&) = delete;
  ReplicaMoves& operator=(const ReplicaMoves&) = delete;

  // As Kafka answers: kNone once it is on its way, or there. Its present directory ends a move.
  wire::ErrorCode alter(const PartitionName& name, const std::string& path);
  // Where a partition that is not here is to be made; null: anywhere. Forgets it.
  LogStore* take_wish(const PartitionName& name);
  // The partition is closed. `done`, perhaps at once, when nothing is under way any more.
  void end(const PartitionName& name, std::move_only_function<void()> done);
  // Goes on with what the process before left, or sets it aside. The partitions are open.
  void resume();
  // Ends everything; what is being copied is found by the next process.
  void stop(std::move_only_function<void()> done);
  // A directory that still has what was exchanged but not settled: it must not be called clean.
  bool is_unclean(const LogDirectory& directory) const { return unclean_.contains(&directory); }

  // How moves that were asked for ended. Any thread.
  struct Stats {
    base::Counter done;
    base::Counter refused;    // when they were asked for
    base::Counter failed;     // on the way: the replica is where it was
    base::Counter cancelled;  // by another wish, or with the partition
  };
  const Stats& stats() const { return stats_; }

  // What is under way. Any thread.
  struct View {
    PartitionName name;
    base::Uuid topic_id;
    const LogDirectory* to = nullptr;
    std::uint64_t size_bytes = 0;
    std::int64_t lag = 0;  // offsets that the copy lacks
  };
  std::vector<View> views() const;

 private:
  struct Move;
  struct LeftCopy;
  std::vector<LeftCopy> left_copies() const;
  enum class Fate : std::uint8_t { kBegunAnew, kRemoved, kLeftAlone, kSetAside };
  Fate fate_of(const LeftCopy& copy) const;
  bool clear(const LeftCopy& copy) const;
  wire::ErrorCode begin(const PartitionName& name, const std::string& path);
  void start(std::shared_ptr<Partition> partition, LogStore& to);
  void run_more();
  void step(const std::shared_ptr<Move>& move);
  void on_step(const std::shared_ptr<Move>& move, ReplicaCopy::Step result);
  void rest(const std::shared_ptr<Move>& move, base::Duration pause);
  void cancel(Move& move);
  void discard(const std::shared_ptr<Move>& move);
  void ended(const std::shared_ptr<Move>& move);

  const Services services_;
  base::Random random_;
  std::map<PartitionName, LogStore*> wishes_;
  std::map<PartitionName, std::shared_ptr<Move>> moves_;
  std::deque<std::shared_ptr<Move>> waiting_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  std::move_only_function<void()> stopped_;
  std::set<const LogDirectory*> unclean_;
  Stats stats_;  // written by the home executor
  mutable std::mutex mutex_;
  std::map<PartitionName, std::shared_ptr<ReplicaCopy>> seen_;  // of moves_; guarded
};

}  // namespace broker
