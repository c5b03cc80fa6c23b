#include "common/record/batch_view.h"

#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace record {
namespace {

constexpr std::size_t kMagicEnd = Layout::kMagic + 1;
// Any last offset delta may be added, and one more.
constexpr std::int64_t kBaseOffsetMax = INT64_MAX - INT32_MAX - 1;

void store_crc(base::MutableBytes batch) {
  const std::uint32_t crc = base::crc32c(batch.subspan(Layout::kAttributes));
  base::store_be(batch.data() + Layout::kCrc, crc);
}

}  // namespace

std::string_view to_string(ParseError error) {
  switch (error) {
    case ParseError::kIncomplete:
      return "the bytes end inside a batch";
    case ParseError::kBadLength:
      return "the batch length is too small for a header";
    case ParseError::kOldMagic:
      return "the batch has message format 0 or 1";
    case ParseError::kUnknownMagic:
      return "the batch has an unknown message format";
    case ParseError::kBadOffsets:
      return "the batch has an offset that no log has";
  }
  return "";
}

std::expected<BatchView, ParseError> BatchView::parse(base::BytesView bytes) {
  if (bytes.size() < kMagicEnd) return std::unexpected(ParseError::kIncomplete);
  const auto magic = static_cast<std::int8_t>(bytes[Layout::kMagic]);
  if (magic == 0 || magic == 1) return std::unexpected(ParseError::kOldMagic);
  if (magic != kMagicV2) return std::unexpected(ParseError::kUnknownMagic);
  const auto length = base::load_be<std::int32_t>(bytes.data() + Layout::kLength);
  if (length < static_cast<std::int32_t>(kHeaderSize - kLogOverhead))
    return std::unexpected(ParseError::kBadLength);
  if (bytes.size() - kLogOverhead < static_cast<std::size_t>(length))
    return std::unexpected(ParseError::kIncomplete);
  const auto base_offset = base::load_be<std::int64_t>(bytes.data() + Layout::kBaseOffset);
  if (base_offset < 0 || base_offset > kBaseOffsetMax)
    return std::unexpected(ParseError::kBadOffsets);
  return BatchView(bytes.data());
}

std::uint32_t BatchView::computed_crc() const {
  return base::crc32c(bytes().subspan(Layout::kAttributes));
}

std::optional<Codec> BatchView::codec() const {
  const int number = attributes() & Attributes::kCodecMask;
  if (number >= kCodecCount) return std::nullopt;
  return static_cast<Codec>(number);
}

std::int32_t BatchView::last_sequence() const {
  if (!has_sequence()) return kNoSequence;
  return add_sequence(base_sequence(), last_offset_delta());
}

std::int32_t add_sequence(std::int32_t sequence, std::int32_t count) {
  // 2^31 sequences: the sum modulo 2^31 of two numbers that are not negative.
  const auto sum = static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count);
  return static_cast<std::int32_t>(sum & 0x7fffffffu);
}

void set_base_offset(base::MutableBytes batch, base::Offset offset) {
  CHECK(batch.size() >= kHeaderSize);
  base::store_be(batch.data() + Layout::kBaseOffset, offset.value());
}

void set_leader_epoch(base::MutableBytes batch, base::LeaderEpoch epoch) {
  CHECK(batch.size() >= kHeaderSize);
  base::store_be(batch.data() + Layout::kLeaderEpoch, epoch.value());
}

void set_max_timestamp(base::MutableBytes batch, TimestampType type, base::WallMs timestamp) {
  CHECK(batch.size() >= kHeaderSize);
  const auto length = base::load_be<std::int32_t>(batch.data() + Layout::kLength);
  const std::size_t size = kLogOverhead + static_cast<std::size_t>(length);
  CHECK(length > 0 && size >= kHeaderSize && size <= batch.size());
  auto attributes = base::load_be<std::int16_t>(batch.data() + Layout::kAttributes);
  constexpr auto kBit = Attributes::kLogAppendTime;
  attributes = static_cast<std::int16_t>(
      type == TimestampType::kLogAppendTime ? attributes | kBit : attributes & ~kBit);
  base::store_be(batch.data() + Layout::kAttributes, attributes);
  base::store_be(batch.data() + Layout::kMaxTimestamp, timestamp);
  store_crc(batch.first(size));
}

std::optional<BatchView> BatchReader::next() {
  if (error_ || rest_.empty()) return std::nullopt;
  auto batch = BatchView::parse(rest_);
  if (!batch) {
    error_ = batch.error();
    return std::nullopt;
  }
  position_ += batch->total_size();
  rest_ = rest_.subspan(batch->total_size());
  return *batch;
}

}  // namespace record
