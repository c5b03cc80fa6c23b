// Names of what a shard of the transaction coordinator keeps track of.
#pragma once

#include <cstdint>

#include "common/base/ids.h"

namespace broker::txn {

// One request from its arrival to its answer. Chosen by the owner, unique per shard.
using Token = base::Strong<struct TxnTokenTag, std::uint64_t>;
// Counts what one shard has asked to append, from 1.
using AppendNumber = base::Strong<struct TxnAppendTag, std::uint64_t>;
// Counts the marker orders of one shard, from 1.
using OrderNumber = base::Strong<struct TxnOrderTag, std::uint64_t>;

inline constexpr base::ProducerId kNoProducerId{-1};
inline constexpr base::ProducerEpoch kNoEpoch{-1};
// The last epoch a producer can be given. The one after it is for the marker that fences it.
inline constexpr base::ProducerEpoch kLastEpoch{32'766};

}  // namespace broker::txn
