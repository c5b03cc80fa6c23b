// One partition of __consumer_offsets at work: loads the core from the log, feeds it requests and
// time, appends what it decides and releases its answers when that is committed. Lives on one
// executor; ask(), topic_deleted() and stop() may be called from any thread.
//
//            load ok                append or sync fails
//  Loading ──────────▶ Serving ───────────────────────────▶ Loading (after a pause)
//     └────────────────────┴──▶ Stopped: the partition is not ours any more
//
// Appends of one turn of the executor leave together, in one write. When the log cannot be written
// (a full disk), the shard is loaded again and refuses what would write for a growing while: reads
// go on.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/group/group_coordinator.h"
#include "broker/node/coordinator.h"
#include "broker/node/coordinator_loader.h"
#include "broker/node/partition.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"

namespace broker {

class CoordinatorShard final : public PartitionListener,
                               public std::enable_shared_from_this<CoordinatorShard> {
 public:
  // `partition` may be null: it could not be opened, and the shard is Stopped.
  CoordinatorShard(Node& node, io::Executor& executor, std::shared_ptr<Partition> partition,
                   base::LeaderEpoch leader_epoch, base::Random random);
  ~CoordinatorShard() override;

  const std::shared_ptr<Partition>& partition() const { return partition_; }
  base::LeaderEpoch leader_epoch() const { return leader_epoch_; }

  void start();
  void stop();
  void ask(GroupCaller caller, GroupRequest request, GroupDone done);
  void topic_deleted(std::string topic, base::Uuid topic_id);

  // Any thread.
  void add_to(GroupCoordinators::Totals& totals) const;

  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override;

 private:
  enum class State { kLoading, kServing, kStopped };
  struct Waiting {
    io::Executor* back;
    GroupDone done;
  };
  struct Uncommitted {
    group::AppendNumber number;
    base::Instant deadline;
  };
  struct Loaded;

  void post(void (CoordinatorShard::*work)());
  void load();
  void read_log();
  void on_loaded(Loaded& loaded);
  void load_later(wire::ErrorCode error);
  void retry_load(const std::string& why);
  void handle(GroupCaller caller, GroupRequest request, GroupDone done);
  wire::ErrorCode refusal(const GroupRequest& request) const;
  // coordinator_shard_append.cc
  static base::Bytes encode(const group::Append& append);
  wire::ErrorCode check_producer(const GroupRequest& request);
  void take(group::Output out);
  void deliver(std::vector<group::Reply> replies);
  void append_pending();
  void on_committed(group::AppendNumber number);
  void fail(wire::ErrorCode error);
  void end();
  void arm();
  void on_timer();
  void publish();
  group::Config core_config() const;
  std::uint64_t tag(group::AppendNumber number) const;

  Node& node_;
  io::Executor& executor_;
  const std::shared_ptr<Partition> partition_;
  const base::LeaderEpoch leader_epoch_;
  base::Random random_;

  State state_ = State::kLoading;
  std::unique_ptr<group::GroupCoordinator> core_;  // set when Serving
  std::uint64_t incarnation_ = 0;                  // of the core: late events of another one end
  std::map<group::Token, Waiting> waiting_;
  group::Token next_token_{1};
  std::vector<group::Append> pending_;
  bool append_posted_ = false;
  std::deque<Uncommitted> uncommitted_;
  std::vector<std::pair<std::string, base::Uuid>> deleted_while_loading_;
  base::Timer timer_;
  std::uint32_t failures_ = 0;  // in a row
  bool told_waiting_ = false;   // that loading waits
  wire::ErrorCode write_error_ = wire::ErrorCode::kNone;
  base::Instant writes_refused_until_{};

  struct Published;
  const std::unique_ptr<Published> published_;
};

}  // namespace broker
