// One member of the quorum at work: the Raft core, its store, its timer. Carries out the core's
// outputs: all writes of a turn go to the disk with one sync (group commit), what must wait for the
// disk waits; messages go through the transport. Lives on one executor; the store is touched only
// inside Executor::blocking, one job at a time.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/io/disk.h"
#include "common/io/executor.h"
#include "controller/node/quorum_founder.h"
#include "controller/node/quorum_transport.h"
#include "controller/node/raft_store.h"
#include "controller/raft/raft.h"

namespace controller {

class RaftNode : public std::enable_shared_from_this<RaftNode> {
 public:
  // All on the executor; none after stop().
  struct Events {
    // In order, each index once, starting behind the recovered snapshot.
    std::function<void(const std::vector<raft::Entry>&)> committed;
    // The state machine's whole state; `committed` continues behind it. Also at recovery.
    std::function<void(const raft::Snapshot&)> installed;
    std::function<void()> role_changed;
    // The disk failed; this member does nothing any more.
    std::function<void(const io::IoError&)> failed;
  };
  struct Stats {
    std::uint64_t syncs = 0;
    std::uint64_t checkpoints = 0;
    std::uint64_t log_bytes = 0;
  };

  // How it finds the quorum when its log names no members yet.
  struct Quorum {
    std::shared_ptr<QuorumTransport> transport;  // null: there is nobody else, ever
    std::vector<raft::NodeId> voters;            // of a new cluster
  };

  // The config's directory is read from the store.
  RaftNode(io::Executor& executor, io::Disk& disk, base::Diag& diag, raft::Config config,
           Quorum quorum, base::Random random, Events events);

  // Opens the store and joins the quorum. `done` on the executor.
  void start(const std::string& directory, std::move_only_function<void(io::IoResult<void>)> done);
  // `done` when no job is at the disk any more.
  void stop(std::move_only_function<void()> done);

  bool running() const { return raft_.has_value() && !stopped_; }
  const raft::Raft& raft() const { return *raft_; }
  // Only while raft().leading(). Data is at most wal::kEntryBytesMax.
  raft::Index propose(raft::Data data);
  // Only while raft().can_change(), to members that differ in one.
  void change_members(raft::Membership members);
  // While leading: hands the leadership over, if there is somebody.
  void transfer();
  QuorumTransport::Probe probe() const;
  // Cuts the log behind committed `index`: `state` is called away from the executor and gives the
  // state machine's state there. Ignored while one is under way.
  void checkpoint(raft::Index index, std::function<std::string()> state);
  bool checkpointing() const { return checkpointing_; }
  const Stats& stats() const { return stats_; }

 private:
  // What goes to the disk together.
  struct Job {
    std::optional<raft::HardState> hard_state;
    std::vector<raft::Entry> entries;
    std::optional<raft::Snapshot> snapshot;  // installed, or of checkpoint()
    std::function<std::string()> state;      // makes the latter's data
    raft::HardState hard_state_now;          // with a snapshot
    std::uint64_t write_id = 0;
    io::IoResult<void> result;
    std::uint64_t log_bytes = 0;
  };

  // A message that speaks of what is not durable yet.
  struct Parked {
    std::uint64_t write_id;
    raft::Message message;
  };

  void opened(RaftStore::Opened opened);
  void begin();
  void found(std::optional<raft::Membership> members);
  void send(const raft::Message& message);
  void release();
  void watch_leader();
  void step(const raft::Input& input);
  void carry_out(raft::Output& out);
  void schedule_write();
  void write();
  void wrote(const std::shared_ptr<Job>& job);
  void fail(const io::IoError& error);
  void arm();

  io::Executor& executor_;
  io::Disk& disk_;
  base::Diag& diag_;
  raft::Config config_;
  Quorum quorum_;
  base::Random random_;
  Events events_;
  std::unique_ptr<RaftStore> store_;
  std::optional<raft::Raft> raft_;
  raft::HardState hard_state_;  // the last one given to the disk, or read from it
  std::shared_ptr<QuorumFounder> founder_;
  raft::MembershipPtr members_;  // as the transport has them
  raft::NodeId watched_ = raft::kNobody;
  std::uint64_t written_ = 0;  // id of the last write handed to the disk, or gathered for it
  std::uint64_t durable_ = 0;
  std::deque<Parked> parked_;
  Job next_;  // gathered since the last write began
  bool write_scheduled_ = false;
  bool writing_ = false;
  bool checkpointing_ = false;
  bool stopped_ = false;
  std::move_only_function<void()> stop_done_;
  base::Timer timer_;
  Stats stats_;
};

}  // namespace controller
