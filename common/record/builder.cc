#include "common/record/builder.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/varint.h"

namespace record {
namespace {

std::size_t nullable_size(std::optional<base::BytesView> bytes) {
  if (!bytes) return 1;
  return base::varint_size(static_cast<std::int32_t>(bytes->size())) + bytes->size();
}

void append_bytes(base::Bytes& to, base::BytesView bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_nullable(base::Bytes& to, std::optional<base::BytesView> bytes) {
  base::append_varint(to, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  if (bytes) append_bytes(to, *bytes);
}

std::int16_t attribute_bits(const BatchOptions& options) {
  int bits = static_cast<int>(options.codec);
  if (options.timestamp_type == TimestampType::kLogAppendTime) bits |= Attributes::kLogAppendTime;
  if (options.transactional) bits |= Attributes::kTransactional;
  if (options.control) bits |= Attributes::kControl;
  if (options.delete_horizon) bits |= Attributes::kDeleteHorizon;
  return static_cast<std::int16_t>(bits);
}

// The fields that depend on the bytes behind them: call last.
void seal(base::Bytes& batch) {
  base::store_be(batch.data() + Layout::kLength,
                 static_cast<std::int32_t>(batch.size() - kLogOverhead));
  const std::uint32_t crc = base::crc32c(base::BytesView(batch).subspan(Layout::kAttributes));
  base::store_be(batch.data() + Layout::kCrc, crc);
}

}  // namespace

BatchBuilder::BatchBuilder(const BatchOptions& options)
    : options_(options), bytes_(kHeaderSize, std::byte{0}) {
  if (options.delete_horizon) base_timestamp_ = *options.delete_horizon;
}

void BatchBuilder::add(base::WallMs timestamp, std::optional<base::BytesView> key,
                       std::optional<base::BytesView> value, std::span<const HeaderView> headers) {
  add_at(next_delta_, timestamp, key, value, headers);
}

void BatchBuilder::add_at(std::int32_t offset_delta, base::WallMs timestamp,
                          std::optional<base::BytesView> key, std::optional<base::BytesView> value,
                          std::span<const HeaderView> headers) {
  CHECK(offset_delta >= next_delta_);
  if (count_ == 0 && !options_.delete_horizon) base_timestamp_ = timestamp;
  const std::int64_t timestamp_delta = timestamp - base_timestamp_;
  const auto header_count = static_cast<std::int32_t>(headers.size());

  std::size_t body = 1 + base::varlong_size(timestamp_delta) + base::varint_size(offset_delta) +
                     nullable_size(key) + nullable_size(value) + base::varint_size(header_count);
  for (const HeaderView& header : headers)
    body += nullable_size(base::as_bytes(header.key)) + nullable_size(header.value);

  base::append_varint(bytes_, static_cast<std::int32_t>(body));
  bytes_.push_back(std::byte{0});  // attributes of a record: none are defined
  base::append_varlong(bytes_, timestamp_delta);
  base::append_varint(bytes_, offset_delta);
  append_nullable(bytes_, key);
  append_nullable(bytes_, value);
  base::append_varint(bytes_, header_count);
  for (const HeaderView& header : headers) {
    append_nullable(bytes_, base::as_bytes(header.key));
    append_nullable(bytes_, header.value);
  }

  max_timestamp_ = count_ == 0 ? timestamp : std::max(max_timestamp_, timestamp);
  last_delta_ = std::max(last_delta_, offset_delta);
  next_delta_ = offset_delta + 1;
  ++count_;
}

void BatchBuilder::set_last_offset_delta(std::int32_t delta) {
  CHECK(delta >= last_delta_);
  last_delta_ = delta;
}

base::Bytes BatchBuilder::build() {
  CHECK(last_delta_ >= 0);
  if (options_.codec != Codec::kNone) {
    const base::Bytes packed =
        compress(options_.codec, base::BytesView(bytes_).subspan(kHeaderSize), options_.level);
    bytes_.resize(kHeaderSize);
    append_bytes(bytes_, packed);
  }
  std::byte* at = bytes_.data();
  base::store_be(at + Layout::kBaseOffset, options_.base_offset.value());
  base::store_be(at + Layout::kLeaderEpoch, options_.leader_epoch.value());
  at[Layout::kMagic] = static_cast<std::byte>(kMagicV2);
  base::store_be(at + Layout::kAttributes, attribute_bits(options_));
  base::store_be(at + Layout::kLastOffsetDelta, last_delta_);
  base::store_be(at + Layout::kBaseTimestamp, base_timestamp_);
  base::store_be(at + Layout::kMaxTimestamp, max_timestamp_);
  base::store_be(at + Layout::kProducerId, options_.producer_id.value());
  base::store_be(at + Layout::kProducerEpoch, options_.producer_epoch.value());
  base::store_be(at + Layout::kBaseSequence, options_.base_sequence);
  base::store_be(at + Layout::kCount, count_);
  seal(bytes_);
  return std::move(bytes_);
}

std::expected<base::Bytes, DecompressError> recompress(const BatchView& batch, Codec codec,
                                                       Level level, std::size_t limit) {
  const std::optional<Codec> from = batch.codec();
  if (!from) return std::unexpected(DecompressError::kCorrupt);
  auto records = decompress(*from, batch.records(), limit);
  if (!records) return std::unexpected(records.error());
  return with_records(batch, *records, codec, level);
}

base::Bytes with_records(const BatchView& batch, base::BytesView records, Codec codec,
                         Level level) {
  const base::Bytes packed = compress(codec, records, level);
  base::Bytes result;
  result.reserve(kHeaderSize + packed.size());
  append_bytes(result, batch.bytes().first(kHeaderSize));
  append_bytes(result, packed);
  const int attributes = (batch.attributes() & ~Attributes::kCodecMask) | static_cast<int>(codec);
  base::store_be(result.data() + Layout::kAttributes, static_cast<std::int16_t>(attributes));
  seal(result);
  return result;
}

}  // namespace record
