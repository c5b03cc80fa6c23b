// What goes into and comes out of Partition::append() and Partition::read(). Values; bytes that are
// viewed belong to the caller, offsets are exclusive ends where they are called so.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/log/log.h"
#include "broker/producer/txn_guards.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/wire/error_code.h"

namespace broker {

// One batch to append: bytes of one validated record batch; base offset and leader epoch are
// written into it. The results are filled by append().
struct BatchAppend {
  base::MutableBytes batch;
  bool acks_all = false;          // refused unless min.insync.replicas are in sync
  base::Bytes rewritten;          // what `batch` views when the batch was recompressed
  std::optional<TxnGuard> guard;  // of a batch that may begin a transaction here
  int transaction_version = 0;    // of an end-of-transaction marker
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;  // for people, when error is set
  base::Offset base_offset{-1};
  base::Offset end_offset{-1};        // to wait for with await_committed()
  base::WallMs log_append_time = -1;  // -1 with CreateTime
  base::Offset log_start{-1};
};

struct ReadRequest {
  // A follower reads up to the log's end. With `is_progress`, `from` is what it holds.
  struct Follower {
    base::BrokerId id;
    base::BrokerEpoch epoch;
    base::Instant now;
    bool is_progress = false;
    std::int64_t throttled_bytes_max = INT64_MAX;  // if it is throttled: what may be sent to it
  };
  base::Offset from;
  std::uint32_t bytes_max = 0;
  bool at_least_one_batch = false;  // even if it is larger than bytes_max
  bool read_committed = false;
  bool may_block = false;                         // only away from a reactor
  bool any_replica = false;                       // a consumer that may read from a follower
  std::span<const base::BrokerId> nearby;         // replicas in the consumer's rack, if it has one
  std::optional<base::LeaderEpoch> leader_epoch;  // as the client believes it to be
  std::optional<base::LeaderEpoch> last_fetched_epoch;  // asks for divergence to be found
  std::optional<Follower> follower;                     // none: a consumer
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
  // Set instead of `slice`: this follower in the consumer's rack has what it asks for (KIP-392).
  std::optional<base::BrokerId> read_there;
  bool throttled = false;  // what this follower copies counts against the leader's throttle
  bool held_back = false;  // so that nothing was read
};

}  // namespace broker
