// What one partition remembers of its producers: who wrote last, with which sequence, and which
// transactions are open. It makes retries harmless (the last five batches of each producer are
// recognised), fences old epochs, and knows the last stable offset.
//
// A core: owned by the partition's log, used under the partition's lock; no I/O, no clock. The
// owner asks check() before it writes a batch that has a producer id, and calls apply() for each
// batch that is in the log, in the order of offsets: after a write, and again in recovery.
//
// Semantics are those of Apache Kafka 4's producer state, with one difference: idle time counts
// from when this process saw the producer, not from the timestamps that the producer wrote, so that
// records with old timestamps do not cost a producer its state. Files: docs/record_format.md.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "broker/producer/aborted.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/record/batch_view.h"
#include "common/record/control.h"
#include "common/wire/error_code.h"

namespace broker {

// Whose append it is: clients' sequences are checked, coordinators only have epochs, followers
// copy what the leader checked.
enum class AppendOrigin : std::uint8_t { kClient, kCoordinator, kReplication };

// One batch that a producer wrote. Sequences and offsets are those of its last record.
struct ProducerBatch {
  std::int32_t last_sequence = record::kNoSequence;
  base::Offset last_offset{-1};
  std::int32_t offset_delta = 0;
  base::WallMs timestamp = record::kNoTimestamp;

  base::Offset first_offset() const { return last_offset - offset_delta; }
  std::int32_t first_sequence() const;
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

struct ProducerEntry {
  static constexpr std::size_t kBatchesMax = 5;

  base::ProducerId producer_id;
  base::ProducerEpoch producer_epoch{-1};
  std::int32_t coordinator_epoch = -1;
  base::WallMs last_timestamp = record::kNoTimestamp;  // as the last batch or marker carries it
  std::optional<base::Offset> current_txn_first_offset;
  base::WallMs seen_at = 0;  // when this process applied its last batch

  // The last batches of this epoch, oldest first.
  std::span<const ProducerBatch> batches() const { return {recent_.data(), recent_count_}; }
  void add_batch(const ProducerBatch& batch);
  // The batch before the oldest of batches(); ignored when it is not that or there is no room.
  void recall_batch(const ProducerBatch& batch);
  void clear_batches() { recent_count_ = 0; }

  // None (-1) after a marker of a new epoch, before the first batch.
  std::int32_t last_sequence() const {
    return batches().empty() ? record::kNoSequence : batches().back().last_sequence;
  }
  base::Offset last_data_offset() const {
    return batches().empty() ? base::Offset(-1) : batches().back().last_offset;
  }

 private:
  std::array<ProducerBatch, kBatchesMax> recent_{};
  std::size_t recent_count_ = 0;
};

struct ProducerVerdict {
  enum class Kind : std::uint8_t { kAppend, kDuplicate, kRefused };
  Kind kind = Kind::kAppend;
  // Of a duplicate: the batch that is in the log already; answer with its base offset and time.
  ProducerBatch duplicate;
  // Batches of this producer that would come before this one are not here. Refused then, unless
  // nothing is known of the producer, whose batches may be gone for long.
  bool gap = false;
  // Of a refusal.
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;
};

// A transaction that a marker ended. An aborted one belongs into the .txnindex.
struct CompletedTxn {
  base::ProducerId producer_id;
  base::Offset first_offset;
  base::Offset last_offset;  // of the marker
  bool aborted = false;
  base::Offset last_stable_offset;  // once it is complete, replication aside

  AbortedTxn index_entry() const {
    return {producer_id, first_offset, last_offset, last_stable_offset};
  }
};

class ProducerStates {
 public:
  struct Options {
    std::int64_t expiration_ms = 86'400'000;  // producer.id.expiration.ms
    // Beyond it the longest idle are forgotten; when all have open transactions, new ones are
    // refused.
    std::size_t producers_max = 100'000;
  };
  explicit ProducerStates(Options options) : options_(options) {}

  // May `batch` be appended? Changes nothing. A batch without a producer id always may. The batch's
  // own base offset does not count. A batch must have passed validate_produce() or be a broker's.
  ProducerVerdict check(const record::BatchView& batch, AppendOrigin origin) const;
  // The same for an end-of-transaction marker. `transaction_version` is the coordinator's (0..2).
  ProducerVerdict check_marker(base::ProducerId producer_id, base::ProducerEpoch producer_epoch,
                               std::int32_t coordinator_epoch, int transaction_version) const;

  // Takes note of a batch in the log, with its final offsets. Batches come in rising order. Returns
  // the transaction that it ended, if any.
  std::optional<CompletedTxn> apply(const record::BatchView& batch, base::WallMs now);

  // End of the offsets that were applied.
  base::Offset end_offset() const { return end_offset_; }
  // A batch of the log from before the snapshot that was loaded, which kept only the last one of
  // each producer: retries of it are recognised again. Newest first; what does not fit is ignored.
  void recall(base::ProducerId producer_id, base::ProducerEpoch producer_epoch,
              const ProducerBatch& batch);
  // Without batches in between, as after a compaction or an empty segment.
  void advance_end_offset(base::Offset end);

  // The high watermark moved: transactions that ended below it are stable now.
  void on_high_watermark(base::Offset high_watermark);
  // The log now starts at `start`; producers whose records are gone stay known.
  void on_log_start(base::Offset start);

  // First record of a transaction that is open, or whose marker is not below the high watermark.
  std::optional<base::Offset> first_unstable_offset() const;
  // What read_committed consumers may read up to, exclusive.
  base::Offset last_stable_offset(base::Offset high_watermark) const;
  // Last timestamp of the producer with the oldest open transaction: to find those left hanging.
  std::optional<base::WallMs> oldest_open_txn_timestamp() const;

  // Forgets who has been idle for expiration_ms, except with an open transaction. Returns how many.
  std::size_t expire(base::WallMs now);
  void set_expiration_ms(std::int64_t expiration_ms) { options_.expiration_ms = expiration_ms; }

  // Forgets everything; the next batch to apply starts at or after `end`. Truncation is this, then
  // load() of the newest snapshot at or below the cut, then apply() from there.
  void reset(base::Offset end);

  // The content of a .snapshot file of end_offset(), Kafka's version 1, sorted by producer id. Only
  // the last batch of each producer is kept in it, as Kafka does.
  base::Bytes encode_snapshot() const;
  // Replaces everything by the content of a snapshot file that is named `end`. On an error (text
  // for operators) everything is as after reset(end).
  std::expected<void, std::string> load_snapshot(base::BytesView content, base::Offset end,
                                                 base::WallMs now);

  const ProducerEntry* find(base::ProducerId producer_id) const;
  std::size_t size() const { return producers_.size(); }
  // In the order of producer ids.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, slot] : producers_) visit(slot.entry);
  }

  // Relations between the fields; for tests.
  void check_invariants() const;

 private:
  // Without an open transaction, longest idle first: who may be forgotten.
  using IdleOrder = std::list<base::ProducerId>;
  struct Slot {
    ProducerEntry entry;
    IdleOrder::iterator idle;  // of use only without an open transaction
  };
  using Slots = std::map<base::ProducerId, Slot>;

  Slot& slot_of(base::ProducerId producer_id);
  void touch(Slot& slot, base::WallMs now);
  void open_transaction(Slot& slot, base::Offset first_offset);
  void close_transaction(Slot& slot);
  void forget_longest_idle();
  void apply_data(Slot& slot, const record::BatchView& batch);
  std::optional<CompletedTxn> apply_marker(Slot& slot, const record::BatchView& batch,
                                           const record::EndTxnMarker& marker);

  Options options_;
  Slots producers_;
  IdleOrder idle_;
  std::map<base::Offset, base::ProducerId> open_;  // by first offset
  // Ended, with the marker's offset, waiting for the high watermark to pass it. By first offset.
  std::map<base::Offset, base::Offset> unreplicated_;
  base::Offset start_offset_{0};
  base::Offset end_offset_{0};
};

}  // namespace broker
