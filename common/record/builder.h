// Makes record batches: for the coordinators, the command line and tests. Clients' batches are
// stored as sent and never pass through here unless a topic asks for another codec.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/record/record_view.h"

namespace record {

struct BatchOptions {
  base::Offset base_offset{0};
  base::LeaderEpoch leader_epoch{-1};
  Codec codec = Codec::kNone;
  Level level;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  bool transactional = false;
  bool control = false;
  base::ProducerId producer_id{kNoProducerId};
  base::ProducerEpoch producer_epoch{-1};
  std::int32_t base_sequence = kNoSequence;
  // Sets the delete horizon bit; timestamps of the records then count from it.
  std::optional<base::WallMs> delete_horizon;
};

class BatchBuilder {
 public:
  explicit BatchBuilder(const BatchOptions& options = {});

  // Appends a record at the next offset. `key` and `value` may be nothing (null).
  void add(base::WallMs timestamp, std::optional<base::BytesView> key,
           std::optional<base::BytesView> value, std::span<const HeaderView> headers = {});
  // The same at a chosen offset, not below the next: compaction leaves gaps.
  void add_at(std::int32_t offset_delta, base::WallMs timestamp, std::optional<base::BytesView> key,
              std::optional<base::BytesView> value, std::span<const HeaderView> headers = {});
  // Makes the batch span offsets to base + delta though its last record is earlier (compaction).
  void set_last_offset_delta(std::int32_t delta);

  std::int32_t count() const { return count_; }
  // Size of the batch if it were not compressed: an upper mark to cut batches by.
  std::size_t uncompressed_size() const { return bytes_.size(); }

  // Finishes the batch, checksum included. The builder is then empty and of no more use.
  base::Bytes build();

 private:
  BatchOptions options_;
  base::Bytes bytes_;  // room for the header, then the records
  std::int32_t count_ = 0;
  std::int32_t next_delta_ = 0;
  std::int32_t last_delta_ = -1;
  base::WallMs base_timestamp_ = kNoTimestamp;
  base::WallMs max_timestamp_ = kNoTimestamp;
};

// The same batch with its records in another codec; header fields as they were. Fails like
// decompress() when the records do not decompress within `limit`.
std::expected<base::Bytes, DecompressError> recompress(const BatchView& batch, Codec codec,
                                                       Level level, std::size_t limit);
// The same with the records decompressed already.
base::Bytes with_records(const BatchView& batch, base::BytesView records, Codec codec,
                         Level level = std::nullopt);

}  // namespace record
