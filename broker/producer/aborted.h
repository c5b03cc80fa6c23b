// Aborted transactions of a segment: entries of its .txnindex file, 34 bytes each, in the order of
// the markers. Format of Apache Kafka; docs/record_format.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace broker {

struct AbortedTxn {
  base::ProducerId producer_id;
  base::Offset first_offset;  // of the transaction's records in this partition
  base::Offset last_offset;   // of the abort marker, inclusive
  // What the last stable offset became when the marker was written: a reader that is past it need
  // not look at later entries.
  base::Offset last_stable_offset;
  friend bool operator==(const AbortedTxn&, const AbortedTxn&) = default;
};

inline constexpr std::size_t kAbortedTxnSize = 34;

void append_aborted_txn(base::Bytes& to, const AbortedTxn& txn);
// The entry at the front of `bytes`; nothing when it is cut short or of an unknown version.
std::optional<AbortedTxn> read_aborted_txn(base::BytesView bytes);

// Those of a file's content that overlap [start, end), in file order: what a read_committed fetch
// of that range must tell. `complete` is set when no later segment can have more of them. Nothing
// when the content is malformed.
struct AbortedSearch {
  std::vector<AbortedTxn> found;
  bool complete = false;
};
std::optional<AbortedSearch> find_aborted_txns(base::BytesView content, base::Offset start,
                                               base::Offset end);

}  // namespace broker
