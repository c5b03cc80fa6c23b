// One partition that this broker leads: the log, who waits for it, and the little lock that guards
// both. Any reactor may call it; no call blocks longer than a write into the page cache.
//
// Offsets: start <= visible <= end and durable <= end. What consumers may see (the high watermark)
// is the durable end under moldau.durability=fsync, so that nothing that was read can vanish in a
// crash, and the written end otherwise. A producer with acks=all is answered when its records are
// committed: durable under fsync, written under interval and replicated. See docs/architecture.md.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/log/flusher.h"
#include "broker/log/log.h"
#include "broker/log/partition_name.h"
#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/config/topic_config.h"
#include "common/io/executor.h"
#include "common/wire/error_code.h"

namespace broker {

// Told once, on its own executor, that what it waited for has happened or cannot happen any more.
class PartitionListener {
 public:
  virtual ~PartitionListener() = default;
  // `tag` is the caller's own. kNone, or why the wait ended.
  virtual void on_partition_event(std::uint64_t tag, wire::ErrorCode error) = 0;
};

// One batch to append: bytes of one validated record batch; base offset and leader epoch are
// written into it. The results are filled by append().
struct BatchAppend {
  base::MutableBytes batch;
  base::Bytes rewritten;  // what `batch` views when the batch was recompressed
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;  // for people, when error is set
  base::Offset base_offset{-1};
  base::Offset end_offset{-1};        // to wait for with await_committed()
  base::WallMs log_append_time = -1;  // -1 with CreateTime
  base::Offset log_start{-1};
};

struct ReadRequest {
  base::Offset from;
  std::uint32_t bytes_max = 0;
  bool at_least_one_batch = false;  // even if it is larger than bytes_max
  bool read_committed = false;
  bool may_block = false;                               // only away from a reactor
  std::optional<base::LeaderEpoch> leader_epoch;        // as the client believes it to be
  std::optional<base::LeaderEpoch> last_fetched_epoch;  // asks for divergence to be found
};

struct ReadAnswer {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  base::Offset high_watermark{-1};
  base::Offset last_stable{-1};
  base::Offset log_start{-1};
  std::optional<LogSlice> slice;  // none when there is nothing to read
  // Set instead of `slice` when the place must be brought into the page cache first.
  std::optional<io::FileSlice> cold;
  std::vector<AbortedTxn> aborted;
  // Set when the client's last fetched epoch ends before `from` here.
  std::optional<EpochStart> diverging;  // `start` is that epoch's end
};

class Partition final : public Flushable, public std::enable_shared_from_this<Partition> {
 public:
  struct Identity {
    std::string topic;
    base::Uuid topic_id;
    std::int32_t index = 0;
  };
  Partition(Identity identity, std::unique_ptr<Log> log,
            std::shared_ptr<const config::TopicConfig> config, base::LeaderEpoch leader_epoch,
            Flusher& flusher);
  ~Partition() override;

  const std::string& topic() const { return identity_.topic; }
  const base::Uuid& topic_id() const { return identity_.topic_id; }
  std::int32_t index() const { return identity_.index; }
  PartitionName name() const { return {identity_.topic, identity_.index}; }

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
  // leader epoch; at once (returning true, without a call) when it already is visible.
  bool await_visible(base::Offset from, bool read_committed, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // Forgets every wait of `listener`. A call that is under way may still come.
  void stop_waiting(const PartitionListener* listener);

  // Under the lock: everything about the log that the APIs ask for.
  struct Bounds {
    base::Offset start, visible, last_stable, durable, end;
    base::LeaderEpoch leader_epoch;
    std::uint64_t size_bytes = 0;
  };
  Bounds bounds();
  std::shared_ptr<const config::TopicConfig> config();
  void set_config(std::shared_ptr<const config::TopicConfig> config, const LogConfig& log_config);

  // Runs `use` with the log under the lock. For operations that are rare and quick.
  template <class Use>
  auto with_log(Use use) {
    std::lock_guard lock(mutex_);
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

  // Flushable, on a worker thread.
  FlushBatch take_unflushed() override;
  void flushed(const FlushBatch& batch, const io::IoResult<void>& result) override;

 private:
  struct Waiter {
    base::Offset offset;
    bool read_committed;
    io::Executor* home;
    std::shared_ptr<PartitionListener> listener;
    std::uint64_t tag;
  };
  // Those to be told, once the lock is released.
  using Woken = std::vector<Waiter>;

  wire::ErrorCode refusal_locked() const;
  base::Offset visible_locked() const;
  base::Offset stable_locked() const;
  void write_locked(std::span<BatchAppend* const> batches, base::WallMs now);
  bool admit_locked(BatchAppend& append, AppendOrigin origin);
  void after_write_locked(std::uint64_t bytes, bool rolled);
  Woken take_ready_locked();
  static void tell(Woken woken, wire::ErrorCode error);

  const Identity identity_;
  Flusher& flusher_;
  std::mutex mutex_;
  std::unique_ptr<Log> log_;
  std::shared_ptr<const config::TopicConfig> config_;
  base::LeaderEpoch leader_epoch_;
  wire::ErrorCode closed_ = wire::ErrorCode::kNone;
  std::uint32_t flushes_under_way_ = 0;
  io::Executor* quiet_home_ = nullptr;
  io::Executor::Work on_quiet_;
  std::deque<Waiter> commit_waiters_;    // by offset, rising
  std::vector<Waiter> visible_waiters_;  // want more than `offset` to be visible
};

}  // namespace broker
