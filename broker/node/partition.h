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
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;                   // for people, when error is set
  base::Offset base_offset{-1};
  base::Offset end_offset{-1};           // to wait for with await_committed()
  base::WallMs log_append_time = -1;     // -1 with CreateTime
  bool duplicate = false;                // was in the log already (idempotent retry)
};

struct ReadRequest {
  base::Offset from;
  std::uint32_t bytes_max = 0;
  bool at_least_one_batch = false;       // even if it is larger than bytes_max
  bool read_committed = false;
  std::optional<base::LeaderEpoch> leader_epoch;        // as the client believes it to be
  std::optional<base::LeaderEpoch> last_fetched_epoch;  // asks for divergence to be found
};

struct ReadAnswer {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  base::Offset high_watermark{-1};
  base::Offset last_stable{-1};
  base::Offset log_start{-1};
  std::optional<LogSlice> slice;         // none when there is nothing to read
  std::vector<AbortedTransaction> aborted;
  // Set when the client's last fetched epoch ends before `from` here.
  std::optional<std::pair<base::LeaderEpoch, base::Offset>> diverging;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  struct Identity {
    std::string topic;
    base::Uuid topic_id;
    std::int32_t index = 0;
  };
  Partition(Identity identity, std::unique_ptr<Log> log, config::TopicConfig config,
            base::LeaderEpoch leader_epoch, Flusher& flusher);
  ~Partition();

  const std::string& topic() const { return identity_.topic; }
  const base::Uuid& topic_id() const { return identity_.topic_id; }
  std::int32_t index() const { return identity_.index; }
  std::string name() const { return identity_.topic + "-" + std::to_string(identity_.index); }

  // Appends in order, with one write for all that are fit for it. Each batch gets its own result.
  void append(std::span<BatchAppend*> batches, base::WallMs now);
  void append(BatchAppend& batch, base::WallMs now) {
    BatchAppend* one = &batch;
    append(std::span<BatchAppend*>(&one, 1), now);
  }
  // Tells `listener` on `home` once everything below `end` is committed; at once (returning true,
  // without a call) when it already is.
  bool await_committed(base::Offset end, io::Executor& home,
                       std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  // Asks for a group commit of what is written and not yet durable.
  void flush_soon();

  ReadAnswer read(const ReadRequest& request);
  // Tells `listener` once when more than `from` becomes visible or the partition ends or changes
  // leader epoch; at once (returning true, without a call) when it already is visible.
  bool await_visible(base::Offset from, bool read_committed, io::Executor& home,
                     std::shared_ptr<PartitionListener> listener, std::uint64_t tag);
  void stop_waiting(const PartitionListener* listener);

  // Under the lock: everything about the log that the APIs ask for.
  struct Bounds {
    base::Offset start, visible, last_stable, durable, end;
    base::LeaderEpoch leader_epoch;
    std::uint64_t size_bytes = 0;
  };
  Bounds bounds();
  config::TopicConfig config();
  void set_config(config::TopicConfig config);

  // Runs `use` with the log under the lock. For operations that are rare and quick.
  template <class Use>
  auto with_log(Use use) {
    std::lock_guard lock(mutex_);
    return use(*log_);
  }

  // Called when the topic is gone: every waiter is told, every later call is refused.
  void close(wire::ErrorCode why);
  // Refuses everything with KAFKA_STORAGE_ERROR from now on; `why` is for operators.
  void fail(const std::string& why);

 private:
  struct CommitWaiter {
    base::Offset end;
    io::Executor* home;
    std::shared_ptr<PartitionListener> listener;
    std::uint64_t tag;
  };
  struct Woken;

  base::Offset committed_locked() const;
  base::Offset visible_locked() const;
  base::Offset last_stable_locked() const;
  wire::ErrorCode refusal_locked() const;
  void request_flush_locked();
  void collect_woken_locked(Woken& woken);
  void on_flushed(const FlushBatch& flushed, const io::IoResult<void>& result);
  static void tell(Woken woken, wire::ErrorCode error);

  const Identity identity_;
  Flusher& flusher_;
  std::mutex mutex_;
  std::unique_ptr<Log> log_;
  config::TopicConfig config_;
  base::LeaderEpoch leader_epoch_;
  wire::ErrorCode closed_ = wire::ErrorCode::kNone;
  bool flush_requested_ = false;
  bool flush_again_ = false;
  std::deque<CommitWaiter> commit_waiters_;       // by end, rising
  std::vector<CommitWaiter> visible_waiters_;     // `end` is the offset that must be passed
};

}  // namespace broker
