// A record batch, format v2, seen over its bytes: the 61-byte header that brokers live by, and the
// record section that they mostly pass on unread. Big-endian; layout in docs/record_format.md.
//
// A view owns nothing and is as cheap as a span; the bytes must outlive it. Nothing here throws,
// allocates or trusts a length: parse() checks that the whole batch is inside the bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace record {

// Where the fields of the header stand.
struct Layout {
  static constexpr std::size_t kBaseOffset = 0;
  static constexpr std::size_t kLength = 8;  // counts the bytes after itself
  static constexpr std::size_t kLeaderEpoch = 12;
  static constexpr std::size_t kMagic = 16;  // at the same place in formats 0 and 1
  static constexpr std::size_t kCrc = 17;
  static constexpr std::size_t kAttributes = 21;  // the checksum covers from here to the end
  static constexpr std::size_t kLastOffsetDelta = 23;
  static constexpr std::size_t kBaseTimestamp = 27;
  static constexpr std::size_t kMaxTimestamp = 35;
  static constexpr std::size_t kProducerId = 43;
  static constexpr std::size_t kProducerEpoch = 51;
  static constexpr std::size_t kBaseSequence = 53;
  static constexpr std::size_t kCount = 57;
  static constexpr std::size_t kRecords = 61;
};
inline constexpr std::size_t kHeaderSize = Layout::kRecords;
// Base offset and length: what every batch of every format starts with.
inline constexpr std::size_t kLogOverhead = 12;

inline constexpr std::int8_t kMagicV2 = 2;
inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int64_t kNoProducerId = -1;
inline constexpr std::int32_t kNoSequence = -1;

enum class Codec : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
inline constexpr int kCodecCount = 5;
enum class TimestampType : std::uint8_t { kCreateTime, kLogAppendTime };

// Bits of the attributes.
struct Attributes {
  static constexpr std::int16_t kCodecMask = 0x07;
  static constexpr std::int16_t kLogAppendTime = 0x08;
  static constexpr std::int16_t kTransactional = 0x10;
  static constexpr std::int16_t kControl = 0x20;
  static constexpr std::int16_t kDeleteHorizon = 0x40;
};

enum class ParseError : std::uint8_t {
  kIncomplete,    // the bytes end inside the batch: a torn tail, or a fetch cut short
  kBadLength,     // the length is negative or too small for a header
  kOldMagic,      // format 0 or 1
  kUnknownMagic,  // not a format of Kafka
  kBadOffsets,    // below 0, or so large that the next batch could have none
};
std::string_view to_string(ParseError error);

class BatchView {
 public:
  // The batch at the front of `bytes`, which may go on behind it. Checks magic, size and that its
  // offsets can be counted with: not the checksum, not the records.
  static std::expected<BatchView, ParseError> parse(base::BytesView bytes);

  base::BytesView bytes() const { return {data_, total_size()}; }
  std::size_t total_size() const {
    return kLogOverhead + static_cast<std::size_t>(get<std::int32_t>(Layout::kLength));
  }

  base::Offset base_offset() const { return base::Offset(get<std::int64_t>(Layout::kBaseOffset)); }
  std::int32_t last_offset_delta() const { return get<std::int32_t>(Layout::kLastOffsetDelta); }
  // Inclusive; next_offset() is one further: where the batch that follows starts.
  base::Offset last_offset() const { return base_offset() + last_offset_delta(); }
  base::Offset next_offset() const { return last_offset() + 1; }
  base::LeaderEpoch leader_epoch() const {
    return base::LeaderEpoch(get<std::int32_t>(Layout::kLeaderEpoch));
  }
  std::int8_t magic() const { return static_cast<std::int8_t>(data_[Layout::kMagic]); }

  std::uint32_t crc() const { return static_cast<std::uint32_t>(get<std::int32_t>(Layout::kCrc)); }
  std::uint32_t computed_crc() const;
  bool crc_ok() const { return crc() == computed_crc(); }

  std::int16_t attributes() const { return get<std::int16_t>(Layout::kAttributes); }
  // Nothing when the number stands for no codec we know.
  std::optional<Codec> codec() const;
  bool is_compressed() const { return (attributes() & Attributes::kCodecMask) != 0; }
  TimestampType timestamp_type() const {
    return has(Attributes::kLogAppendTime) ? TimestampType::kLogAppendTime
                                           : TimestampType::kCreateTime;
  }
  bool is_transactional() const { return has(Attributes::kTransactional); }
  bool is_control() const { return has(Attributes::kControl); }
  bool has_delete_horizon() const { return has(Attributes::kDeleteHorizon); }
  // When tombstones and markers of a compacted batch may go (it stands in the base timestamp).
  std::optional<base::WallMs> delete_horizon() const {
    return has_delete_horizon() ? std::optional(get<std::int64_t>(Layout::kBaseTimestamp))
                                : std::nullopt;
  }

  // What timestamp deltas of the records count from: the raw field, also with a delete horizon.
  base::WallMs base_timestamp() const { return get<std::int64_t>(Layout::kBaseTimestamp); }
  base::WallMs max_timestamp() const { return get<std::int64_t>(Layout::kMaxTimestamp); }

  base::ProducerId producer_id() const {
    return base::ProducerId(get<std::int64_t>(Layout::kProducerId));
  }
  bool has_producer_id() const { return producer_id().value() != kNoProducerId; }
  base::ProducerEpoch producer_epoch() const {
    return base::ProducerEpoch(get<std::int16_t>(Layout::kProducerEpoch));
  }
  std::int32_t base_sequence() const { return get<std::int32_t>(Layout::kBaseSequence); }
  bool has_sequence() const { return base_sequence() != kNoSequence; }
  // Sequence of the last record; sequences go from INT32_MAX on to 0.
  std::int32_t last_sequence() const;

  // Records as declared; compaction may leave fewer than the offsets span, even none.
  std::int32_t count() const { return get<std::int32_t>(Layout::kCount); }
  // The record section, compressed as one piece when is_compressed().
  base::BytesView records() const { return {data_ + kHeaderSize, total_size() - kHeaderSize}; }

 private:
  explicit BatchView(const std::byte* data) : data_(data) {}
  template <class T>
  T get(std::size_t at) const {
    return base::load_be<T>(data_ + at);
  }
  bool has(std::int16_t bit) const { return (attributes() & bit) != 0; }

  const std::byte* data_;
};

// sequence + count, wrapping from INT32_MAX to 0; count >= 0.
std::int32_t add_sequence(std::int32_t sequence, std::int32_t count);

// Stamps that a broker writes into a batch that parsed. The first two lie outside the checksum.
void set_base_offset(base::MutableBytes batch, base::Offset offset);
void set_leader_epoch(base::MutableBytes batch, base::LeaderEpoch epoch);
// Sets both and writes the checksum anew: reads the whole batch.
void set_max_timestamp(base::MutableBytes batch, TimestampType type, base::WallMs timestamp);

// Steps through batches that stand one behind the other.
//   BatchReader reader(bytes);
//   while (auto batch = reader.next()) ...
//   if (reader.error()) ...
class BatchReader {
 public:
  explicit BatchReader(base::BytesView bytes) : rest_(bytes) {}

  // The next batch, or nothing at the end and at the first error.
  std::optional<BatchView> next();
  // Why next() stopped, or nothing at a clean end.
  std::optional<ParseError> error() const { return error_; }
  // Bytes of the batches returned so far: where the error stands.
  std::size_t position() const { return position_; }

 private:
  base::BytesView rest_;
  std::size_t position_ = 0;
  std::optional<ParseError> error_;
};

}  // namespace record
