// One partition of __transaction_state at work: loads the core from the log, feeds it requests and
// time, appends what it decides, releases its answers when that is committed, and has its markers
// written. Lives on one reactor; ask() and stop() may be called from any thread.
//
//            load ok                append or sync fails
//  Loading ──────────▶ Serving ───────────────────────────▶ Loading (after a pause)
//     └────────────────────┴──▶ Stopped: the partition is not ours any more
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/partition.h"
#include "broker/node/txn_coordinator.h"
#include "broker/node/txn_markers.h"
#include "broker/txn/txn_coordinator.h"
#include "common/base/timer_wheel.h"

namespace broker {

class TxnShard final : public PartitionListener, public std::enable_shared_from_this<TxnShard> {
 public:
  // `partition` may be null: it could not be opened, and the shard is Stopped.
  TxnShard(Node& node, Reactor& reactor, std::shared_ptr<Partition> partition,
           base::LeaderEpoch leader_epoch);
  ~TxnShard() override;

  const std::shared_ptr<Partition>& partition() const { return partition_; }
  base::LeaderEpoch leader_epoch() const { return leader_epoch_; }

  void start();
  void stop();
  void ask(TxnRequest request, io::Executor& back, TxnDone done);

  // Any thread.
  void add_to(TxnCoordinators::Totals& totals) const;

  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override;

 private:
  enum class State { kLoading, kServing, kStopped };
  struct Waiting {
    io::Executor* back;
    TxnDone done;
  };
  struct Uncommitted {
    txn::AppendNumber number;
    base::Instant deadline;
  };
  struct Loaded;
  struct Published;

  void post(void (TxnShard::*work)());
  void load();
  void read_log();
  void on_loaded(Loaded& loaded);
  void handle(TxnRequest request, io::Executor& back, TxnDone done);
  void take(txn::Output out);
  void deliver(std::vector<txn::Reply> replies);
  void ask_for_id();
  void append_pending();
  void on_committed(txn::AppendNumber number);
  void load_later(wire::ErrorCode error);
  void reload(wire::ErrorCode error);
  void fail(wire::ErrorCode error);
  void end();
  void drop_core(wire::ErrorCode error);
  void arm();
  void on_timer();
  void publish();
  txn::Config core_config() const;
  std::uint64_t tag(txn::AppendNumber number) const;

  Node& node_;
  Reactor& reactor_;
  const std::shared_ptr<Partition> partition_;
  const base::LeaderEpoch leader_epoch_;

  State state_ = State::kLoading;
  std::unique_ptr<txn::TxnCoordinator> core_;  // set when Serving
  std::shared_ptr<MarkerSender> sender_;       // the same
  std::uint64_t incarnation_ = 0;              // of the core: late events of another one end
  std::map<txn::Token, Waiting> waiting_;
  txn::Token next_token_{1};
  std::vector<txn::Append> pending_;
  bool append_posted_ = false;
  std::deque<Uncommitted> uncommitted_;
  base::Timer timer_;
  std::uint32_t failures_ = 0;  // in a row
  bool told_waiting_ = false;   // that loading waits
  const std::unique_ptr<Published> published_;
};

}  // namespace broker
