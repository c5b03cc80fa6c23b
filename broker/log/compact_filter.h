// What compaction keeps of each batch: the newest record of each key, tombstones and transaction
// markers until their time has come, nothing of aborted transactions, and of each producer enough
// to know it again. Semantics are those of Apache Kafka 4's log cleaner (KIP-58, KIP-534); one
// difference: the last batch of each group of segments stays, if only its header, so that a
// compacted segment ends where the next one begins. docs/compaction.md.
//
// Pure; owned by one round of compaction. Batches come in the order of offsets.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "broker/log/key_map.h"
#include "broker/log/offset_set.h"
#include "broker/producer/aborted.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/record/batch_view.h"
#include "common/record/record_view.h"

namespace broker {

// Which transactions the batches met so far belong to, and whether anything of them is left.
class CleanedTxns {
 public:
  // Aborted transactions that overlap what comes next, by first offset or not; known ones do no
  // harm.
  void add_aborted(std::span<const AbortedTxn> txns);
  // True when the batch is part of an aborted transaction.
  bool on_data(const record::BatchView& batch);
  // True when no batch of the marker's transaction was met: it marks nothing any more. Markers of
  // aborted transactions that still do go to kept().
  bool on_control(const record::BatchView& batch);
  // Entries for the .txnindex of what is being written, since the last call.
  std::vector<AbortedTxn> take_kept() { return std::exchange(kept_, {}); }

 private:
  void open_up_to(base::Offset offset);
  struct Aborted {
    AbortedTxn txn;
    bool met = false;  // a batch of it
  };
  std::map<base::Offset, AbortedTxn> coming_;  // by first offset
  std::map<base::ProducerId, Aborted> aborted_;
  std::set<base::ProducerId> committed_;  // with batches met, whose marker is still to come
  std::vector<AbortedTxn> kept_;
};

// What was last of a producer when the round began: its batch stays, if only its header.
struct LastOfProducer {
  std::optional<base::Offset> last_data_offset;
  base::ProducerEpoch producer_epoch;
};
using LastOfProducers = std::map<base::ProducerId, LastOfProducer>;

struct CompactStats {
  std::uint64_t batches_read = 0;
  std::uint64_t batches_written = 0;
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  std::uint64_t keyless_dropped = 0;
  std::uint64_t keys = 0;
  std::uint64_t bytes_indexed = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
};

// The records of one batch, uncompressed. `section` views the batch or `buffer`.
struct OpenBatch {
  base::Bytes buffer;
  base::BytesView section;
};
// Fails, with text, for what does not decompress within `limit`.
std::expected<void, std::string> open_batch(const record::BatchView& batch, std::size_t limit,
                                            OpenBatch& open);

// First pass: the newest offset of each key.
class KeyIndexer {
 public:
  KeyIndexer(KeyMap& keys, base::Offset from, std::size_t batch_bytes_max)
      : keys_(keys), from_(from), end_(from), batch_bytes_max_(batch_bytes_max) {}

  CleanedTxns& txns() { return txns_; }
  // Takes the batch's keys. False: the map is full; what is below end() was taken. Fails, with
  // text, for a batch that does not parse.
  std::expected<bool, std::string> add(const record::BatchView& batch);
  // All below this was looked at.
  base::Offset end() const { return end_; }
  void advance_end(base::Offset end) { end_ = std::max(end_, end); }

 private:
  bool put_all();

  KeyMap& keys_;
  const base::Offset from_;
  base::Offset end_;
  const std::size_t batch_bytes_max_;
  CleanedTxns txns_;
  OpenBatch open_;
  std::vector<std::pair<KeyHash, base::Offset>> hashes_;  // to be put together
};

// Second pass: what stays.
class CompactFilter {
 public:
  struct Options {
    base::Offset map_end;  // what begins here or later was not looked at: it stays as it is
    base::WallMs now = 0;
    std::int64_t delete_retention_ms = 0;
    std::size_t batch_bytes_max = 0;
    // Where the first pass began: of offsets from there on it is noted in `newest_bytes_max` bytes
    // at most whether they are the newest of their keys, so that no key has to be hashed again.
    base::Offset map_start = {};
    std::uint64_t newest_bytes_max = 0;
  };
  CompactFilter(const KeyMap& keys, const Options& options, LastOfProducers last);

  CleanedTxns& txns() { return txns_; }
  const CompactStats& stats() const { return stats_; }
  // What is to be written instead of the batch; empty: nothing. Views the batch or memory of the
  // filter, until the next call. `group_end`: where the group of segments ends. `growth_max`: a
  // batch that would grow by more stays as it is.
  std::expected<base::BytesView, std::string> filter(const record::BatchView& batch,
                                                     base::Offset group_end,
                                                     std::uint64_t growth_max);

 private:
  bool keeps_header(const record::BatchView& batch, base::Offset group_end) const;
  KeyHash hash_of(const record::BatchView& batch, const record::RecordView& record) const;
  bool keeps_record(const record::BatchView& batch, const record::RecordView& record,
                    const KeyHash& hash);
  void keep_from(const record::BatchView& batch, std::size_t first);
  std::expected<void, std::string> sift(const record::BatchView& batch);
  std::expected<void, std::string> sift_noted(const record::BatchView& batch);
  bool keeps_value(const record::BatchView& batch, const record::RecordView& record) const;
  void write_empty(const record::BatchView& batch);
  void write_kept(const record::BatchView& batch, std::optional<base::WallMs> new_horizon);

  const KeyMap& keys_;
  const Options options_;
  const LastOfProducers last_;
  OffsetSet newest_;  // offsets that are the newest of their keys, as far as there was room
  CleanedTxns txns_;
  CompactStats stats_;
  OpenBatch open_;
  std::vector<record::RecordView> records_;  // of the batch at hand, that stay
  std::vector<KeyHash> hashes_;              // of those that are looked up together
  bool has_tombstone_ = false;               // among them
  base::Bytes section_;
  base::Bytes out_;
};

}  // namespace broker
