// Names of what a shard keeps track of.
#pragma once

#include <cstdint>

#include "common/base/ids.h"

namespace broker::group {

// One request from its arrival to its answer. Chosen by the owner, unique per shard.
using Token = base::Strong<struct TokenTag, std::uint64_t>;
// Counts what one shard has asked to append, from 1.
using AppendNumber = base::Strong<struct AppendNumberTag, std::uint64_t>;

}  // namespace broker::group
