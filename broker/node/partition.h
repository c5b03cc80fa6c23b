// One replica of a partition on this broker: the log, its role, who waits for it, and the little
// lock that guards them. Any reactor may call it; no call blocks longer than a write into the page
// cache, except where it says so.
//
//              become()                     become()
//   Offline ─────────────▶ Leading ◀──────────────────────▶ Following ─── repair() cuts the log
//
// Offsets: start <= visible <= end and durable <= end. What consumers may see (the high watermark,
// broker/replica/leadership.h) is what every in-sync replica holds: durably under
// moldau.durability=fsync, so that nothing that was read can vanish in a crash, and written
// otherwise. A producer with acks=all is answered when the high watermark has passed its records.
// A follower's fetch offset is its acknowledgement. docs/replication.md, docs/architecture.md.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/log/flusher.h"
#include "broker/log/log.h"
#include "broker/log/partition_name.h"
#include "broker/node/append_and_read.h"
#include "broker/producer/txn_guards.h"
#include "broker/replica/divergence.h"
#include "broker/replica/leadership.h"
#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/config/topic_config.h"
#include "common/io/clock.h"
#include "common/io/executor.h"
#include "common/wire/error_code.h"

namespace broker {

class LogDirectory;
class Partition;

// Told once, on its own executor, that what it waited for has happened or cannot happen any more.
class PartitionListener {
 public:
  virtual ~PartitionListener() = default;
  // `tag` is the caller's own. kNone, or why the wait ended.
  virtual void on_partition_event(std::uint64_t tag, wire::ErrorCode error) = 0;
};

// What the metadata makes of this replica.
struct PartitionRole {
  base::BrokerId leader{-1};  // -1: the partition has none
  ReplicaSet set;
  std::shared_ptr<const LiveBrokers> live;
};

// What replicas of one broker share. All of it outlives them.
struct ReplicaServices {
  base::BrokerId self;
  Flusher& flusher;
  LogDirectory* directory = nullptr;  // takes recovery points before a log is cut
  io::Clock* clock = nullptr;         // wall clock, for the same
  base::Diag* diag = nullptr;
  base::Duration lag_max = std::chrono::seconds(30);  // replica.lag.time.max.ms
  // The partition would have its ISR changed: take_isr_proposal(). Any thread, no lock held.
  std::function<void(std::shared_ptr<Partition>)> isr_change_wanted;
};

// Where a follower goes on.
struct FollowState {
  bool following = false;
  bool throttled = false;  // what it copies counts against the follower's throttle
  bool repairing = false;  // repair() is at work: what follows but the leader is not known
  base::BrokerId leader{-1};
  base::LeaderEpoch leader_epoch;
  // The end of what this replica holds: durably under moldau.durability=fsync. Behind `end`, it
  // is worth an await_flushed(end) before the next fetch.
  base::Offset fetch_offset{0};
  std::optional<base::LeaderEpoch> last_fetched_epoch;  // of the record before fetch_offset
  base::Offset end{0};
  base::Offset log_start{0};
  base::Offset high_watermark{0};
};

// What a leader answered to a fetch.
struct LeaderAnswer {
  base::LeaderEpoch leader_epoch;  // in which it was asked (current_leader_epoch)
  base::Offset fetch_offset{-1};   // from where: what agrees up to there
  base::BytesView records;
  base::Offset high_watermark{-1};
  base::Offset log_start{-1};
  std::optional<EpochEnd> diverging;
  bool out_of_range = false;  // OFFSET_OUT_OF_RANGE: start over at log_start
};
struct Followed {
  enum class Kind : std::uint8_t {
    kAppended,         // up to `end`
    kNothing,          // nothing new; high watermark and start were taken
    kStale,            // the role is another one by now: ask follow_state()
    kNeedsTruncation,  // the logs have parted: call repair() with the same answer
    kRepaired,         // by repair(): ask follow_state() and fetch from there
    kFailed,           // `why`; records that must not be appended, or the disk. Back off
  };
  Kind kind = Kind::kNothing;
  base::Offset end{-1};
  std::string why;
};

class Partition final : public Flushable, public std::enable_shared_from_this<Partition> {
 public:
  struct Identity {
    std::string topic;
    base::Uuid topic_id;
    std::int32_t index = 0;
  };
  // Offline until become(). `high_watermark` is the one known from before (checkpoint).
  Partition(Identity identity, std::unique_ptr<Log> log,
            std::shared_ptr<const config::TopicConfig> config, const ReplicaServices& services,
            base::Offset high_watermark);
  // The only replica, leading.
  Partition(Identity identity, std::unique_ptr<Log> log,
            std::shared_ptr<const config::TopicConfig> config, base::LeaderEpoch leader_epoch,
            Flusher& flusher);
  ~Partition() override;

  const std::string& topic() const { return identity_.topic; }
  const base::Uuid& topic_id() const { return identity_.topic_id; }
  std::int32_t index() const { return identity_.index; }
  PartitionName name() const { return {identity_.topic, identity_.index}; }
  // That holds it; not null in a broker.
  LogDirectory* directory() const { return directory_; }
  const base::Uuid& directory_id() const;

  // Takes the role that the metadata gives; older roles than the known one change nothing. Who
  // waits with a leader that leads no more is told NOT_LEADER_OR_FOLLOWER.
  void become(PartitionRole role, base::Instant now);
  // Who may join the ISR has changed.
  void set_live(std::shared_ptr<const LiveBrokers> live);

  // Appends in order, with one write for all that are fit for it. Each batch gets its own result.
  void append(std::span<BatchAppend* const> batches, base::WallMs now,
              AppendOrigin origin = AppendOrigin::kClient);
  void append(BatchAppend& batch, base::WallMs now, AppendOrigin origin = AppendOrigin::kClient) {
    BatchAppend* one = &batch;
    append(std::span<BatchAppend* const>(&one, 1), now, origin);
  }
  // Tells `listener` on `home` once everything below `end` is committed; at once (returning true,
  // without a call) when it already is.
  bool await_committed(base::Offset end, io::Executor& home,
                       std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  ReadAnswer read(const ReadRequest& request);
  // Tells `listener` once when more than `from` becomes visible or the partition ends or changes
  // leader epoch; at once (returning true, without a call) when it already is visible. On a
  // follower only `any_replica` waits: for what the follower knows to be visible.
  struct Visibility {
    base::Offset from;
    bool read_committed = false;
    bool any_replica = false;
  };
  bool await_visible(const Visibility& wanted, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // Tells `listener` once when more than `from` is written, or the high watermark is beyond
  // `watermark` (for a follower's fetch); otherwise as await_visible().
  bool await_written(base::Offset from, base::Offset watermark, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // Tells `listener` once everything below `end` is held here as the topic's durability asks
  // (for a follower's next fetch; in any role), at once (returning true, without a call) when it
  // already is. An error: it never will be.
  bool await_flushed(base::Offset end, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // Forgets every wait of `listener`. A call that is under way may still come.
  void stop_waiting(const PartitionListener* listener);

  // ---- transactions
  // Nothing: a transaction of the producer is open here in this epoch, its next batch may be
  // appended. Otherwise the request stands in the producer's line with the guard until it gives it
  // back by end_verification(): when its turn has come, either the request before it has begun the
  // transaction, or the coordinator has to be asked, and the batch to carry the guard.
  std::optional<TxnGuard> begin_verification(base::ProducerId producer_id,
                                             base::ProducerEpoch epoch);
  void end_verification(base::ProducerId producer_id, TxnGuard guard);
  // Makes the guard whole again: before the coordinator is asked again.
  void renew_verification(base::ProducerId producer_id, TxnGuard guard);
  // No marker has come since the guard was taken or renewed.
  bool is_verified(base::ProducerId producer_id, TxnGuard guard);
  // Tells `listener` when nobody is left who came earlier, at once (returning true, without a
  // call) when nobody is. An error: the partition is led in another epoch, or closed.
  bool await_turn_to_verify(base::ProducerId producer_id, TxnGuard guard, io::Executor& home,
                            std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // A transaction of the producer is open here in this epoch.
  bool has_open_transaction(base::ProducerId producer_id, base::ProducerEpoch epoch);
  // May such a marker be appended? If so, guards are broken: what asks now asks too late.
  ProducerVerdict check_marker(base::ProducerId producer_id, base::ProducerEpoch epoch,
                               std::int32_t coordinator_epoch, int transaction_version);

  // ---- following
  FollowState follow_state();
  // Appends what the leader answered, takes over its high watermark and start.
  Followed take_from_leader(const LeaderAnswer& answer);
  // Cuts the log as `answer` asks (its records do not count), away from the reactor; meanwhile
  // every other call finds a follower that serves nothing. `done` on `home`, with kRepaired,
  // kStale or kFailed.
  void repair(LeaderAnswer answer, io::Executor& home,
              std::move_only_function<void(Followed)> done);

  // ---- leading
  // The change of the ISR to ask the controller for, once until it was answered.
  std::optional<IsrProposal> take_isr_proposal(base::Instant now);
  void on_isr_answer(const IsrProposal& asked, const IsrAnswer& answer);
  // Time passes for followers that do not fetch. Every so often.
  void check_isr(base::Instant now);
  // What the metadata and the fetches say of followers; empty unless leading.
  std::map<base::BrokerId, Leadership::Progress> followers();

  // Under the lock: everything about the log that the APIs ask for.
  struct Bounds {
    base::Offset start, visible, last_stable, durable, end;
    base::LeaderEpoch leader_epoch;
    std::uint64_t size_bytes = 0;
    bool is_leader = false;
    base::BrokerId leader{-1};
    base::Offset epoch_start{0};       // of this leadership: its records begin here
    base::Offset leader_watermark{0};  // as the leader told it last; 0 when leading
  };
  Bounds bounds();
  // What clients wrote to and read from this replica since it was opened. Without the lock.
  struct Traffic {
    std::uint64_t produced_bytes = 0;
    std::uint64_t produced_records = 0;  // offsets taken
    std::uint64_t fetched_bytes = 0;     // by consumers; replication is not theirs
  };
  Traffic traffic() const;
  // A consumer is sent so much.
  void note_fetched(std::uint64_t bytes);
  std::shared_ptr<const config::TopicConfig> config();
  void set_config(std::shared_ptr<const config::TopicConfig> config, const LogConfig& log_config);

  // Runs `use` with the log under the lock. For operations that are rare and quick. Waits while
  // the log is being cut: on a reactor only for a partition that leads.
  template <class Use>
  auto with_log(Use use) {
    std::unique_lock lock(mutex_);
    cut_ended_.wait(lock, [&] { return !cutting_; });
    return use(*log_);
  }

  // The epoch that `asked` comes to here and where it ends; nothing when unknown.
  std::optional<EpochStart> end_of_epoch(base::LeaderEpoch asked);

  // The topic is gone, moved or the broker ends: every waiter is told `why`, as every later call.
  void close(wire::ErrorCode why);
  // Runs `work` on `home` once no flush of this partition is under way; none begins after close().
  void when_quiet(io::Executor& home, io::Executor::Work work);
  // Writes what a clean end needs and closes the log. Blocks. After close().
  io::IoResult<void> close_log();

  // ---- moving to another log directory (replica_copy.h), on a worker thread
  // Puts `copy` in the log's place, and the log into `copy`, if `complete` (under the lock) can
  // make the two equal. From then on nothing new counts as held here, nor is flushed, until
  // settle_exchange(true): the new directory is not yet the one that a crash would leave.
  bool exchange_log(std::unique_ptr<Log>& copy, LogDirectory& directory, Flusher& flusher,
                    const std::function<bool(Log& from, Log& to)>& complete);
  // False: the new directory has failed, so nothing will count any more.
  void settle_exchange(bool good);

  // Flushable, on a worker thread.
  FlushBatch take_unflushed(const Flusher& by) override;
  void flushed(const FlushBatch& batch, const io::IoResult<void>& result) override;

 private:
  enum class Wanted : std::uint8_t { kCommitted, kVisible, kStable, kWritten, kDurable, kTurn };
  struct Waiter {
    Wanted wanted;
    base::Offset offset;
    io::Executor* home;
    std::shared_ptr<PartitionListener> listener;
    std::uint64_t tag;
    wire::ErrorCode error = wire::ErrorCode::kNone;  // to be told
    base::Offset watermark{INT64_MAX};               // of kWritten
    bool any_replica = false;                        // waits on a follower, too
  };
  // Those to be told, once the lock is released.
  using Woken = std::vector<Waiter>;
  // What is to be cut: everything, to go on at `to`; or what stands at or above `to`.
  struct Cut {
    base::Offset to{0};
    bool fully = false;
  };

  wire::ErrorCode refusal_locked() const;
  base::Offset own_locked() const;
  base::Offset visible_locked() const;
  base::Offset stable_locked() const;
  Bounds bounds_locked() const;
  void write_locked(std::span<BatchAppend* const> batches, base::WallMs now);
  bool admit_locked(BatchAppend& append, AppendOrigin origin);
  bool is_early_locked(base::ProducerId producer) const;
  bool admit_transaction_locked(const record::BatchView& batch, BatchAppend& append,
                                AppendOrigin origin);
  void after_write_locked(std::uint64_t bytes, bool rolled);
  void sync_for_waiter_locked();
  wire::ErrorCode check_reader_locked(const ReadRequest& request, ReadAnswer& answer) const;
  wire::ErrorCode note_progress_locked(const ReadRequest& request);
  bool is_throttled_locked(base::BrokerId follower) const;
  void read_locked(const ReadRequest& request, ReadAnswer& answer);
  bool await_more(Waiter waiter);
  bool has_reached_locked(const Waiter& waiter) const;
  // The log or the replication moved: the high watermark follows, and who waited for it is taken.
  Woken settle_locked();
  Woken take_ready_locked();
  void take_locked(Woken& woken, wire::ErrorCode error, bool (*which)(const Waiter&));
  static void tell(Woken woken);

  void become_locked(const PartitionRole& role, base::Instant now, Woken& woken);
  void want_isr_change();
  bool follows_locked(base::LeaderEpoch leader_epoch) const;
  std::expected<Cut, std::string> plan_cut_locked(const LeaderAnswer& answer) const;
  Followed cut_log(const LeaderAnswer& answer);
  io::IoResult<void> carry_out(const Cut& cut);
  void work_ended_locked();

  const Identity identity_;
  const ReplicaServices services_;
  std::atomic<LogDirectory*> directory_;  // written under the lock
  Flusher* flusher_;                      // the directory's
  std::mutex mutex_;
  std::unique_ptr<Log> log_;  // while `cutting_`: only of who cuts it
  TxnGuards guards_;
  std::shared_ptr<const config::TopicConfig> config_;
  base::LeaderEpoch leader_epoch_{-1};
  base::BrokerId leader_{-1};
  bool in_sync_ = false;                   // this replica, as the metadata says
  std::optional<Leadership> leading_;      // set while this replica leads
  base::Offset high_watermark_;            // as known while it does not
  base::Offset leader_watermark_{0};       // not cut to what we hold
  std::optional<base::Offset> parted_at_;  // from the leader's log, by records behind our fetch
  wire::ErrorCode closed_ = wire::ErrorCode::kNone;
  std::uint32_t works_under_way_ = 0;  // flushes and cuts
  io::Executor* quiet_home_ = nullptr;
  io::Executor::Work on_quiet_;
  std::atomic<std::uint64_t> produced_bytes_{0};
  std::atomic<std::uint64_t> produced_records_{0};
  std::atomic<std::uint64_t> fetched_bytes_{0};
  std::deque<Waiter> commit_waiters_;  // by offset, rising
  std::map<TxnGuard, Waiter> turn_waiters_;
  std::vector<Waiter> waiters_;  // all others

  std::optional<base::Offset> held_;  // not more, while a new directory does not count yet
  bool settling_ = false;             // exchange_log() to settle_exchange()
  bool cutting_ = false;
  std::condition_variable cut_ended_;
  Bounds bounds_before_cut_;
  std::optional<LogConfig> config_after_cut_;
  std::optional<std::pair<PartitionRole, base::Instant>> role_after_cut_;
};

}  // namespace broker
