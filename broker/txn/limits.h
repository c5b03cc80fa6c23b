// Bounds of the transaction coordinator, and what happens when one is reached.
#pragma once

#include <cstddef>
#include <cstdint>

namespace broker::txn {

// Transactional ids of one shard. Beyond it a new one gets COORDINATOR_NOT_AVAILABLE (retriable:
// expiry makes room).
inline constexpr std::size_t kTransactionsMax = 500'000;
// Requests that wait for a producer id. Beyond it COORDINATOR_LOAD_IN_PROGRESS (retriable).
inline constexpr std::size_t kWaitingForIdMax = 10'000;
// Tombstones of one append.
inline constexpr std::size_t kTombstonesPerAppend = 1'000;
// A batch of one record is larger than its key and value by at most this, with the fields that the
// end of a transaction adds.
inline constexpr std::size_t kOverheadBytes = 128;

}  // namespace broker::txn
