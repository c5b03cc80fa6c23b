// The records of a fetched run of batches, as a consumer sees them: without control batches, and
// without those of aborted transactions. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/text/message.h"
#include "common/base/bytes.h"

namespace cli {

struct AbortedRange {
  std::int64_t producer_id = 0;
  std::int64_t first_offset = 0;
};

struct WalkResult {
  // Where reading goes on: behind the last batch or record seen, also when nothing was shown.
  std::int64_t next = 0;
  bool stopped = false;  // by the sink
};

// Shows records from offset `from` on. `message` carries what is the same for all (topic,
// partition). The sink says whether to go on; its views live until it returns. The error says what
// is wrong with which batch.
std::expected<WalkResult, std::string> walk_batches(
    base::BytesView bytes, std::int64_t from, std::vector<AbortedRange> aborted, Message message,
    const std::function<bool(const Message&)>& sink);

}  // namespace cli
