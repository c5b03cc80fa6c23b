#include "common/record/validate.h"

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/record/control.h"
#include "common/record/record_view.h"
#include "common/record/test_support.h"

namespace record {
namespace {

using test::simple_batch;
using wire::ErrorCode;

constexpr base::WallMs kNow = 1'700'000'000'000;

ValidateOptions options() { return {.produce_version = 9, .now = kNow}; }

base::Bytes good_batch(BatchOptions batch = {}) { return simple_batch(batch, 3, kNow); }

ErrorCode code(base::Bytes bytes, const ValidateOptions& with = options()) {
  const auto result = validate_produce(bytes, with);
  if (result) return ErrorCode::kNone;
  EXPECT_FALSE(result.error().message.empty());
  return result.error().code;
}

// Changes a header field and puts the checksum right.
template <class T>
base::Bytes patched(base::Bytes bytes, std::size_t at, T value) {
  base::store_be(&bytes[at], value);
  base::store_be(&bytes[Layout::kCrc],
                 base::crc32c(base::BytesView(bytes).subspan(Layout::kAttributes)));
  return bytes;
}

// Goal: what clients send is taken, and not a byte of it changes. Method: plain, compressed,
// idempotent and transactional batches.
TEST(ValidateProduce, TakesGoodBatches) {
  for (int codec = 0; codec < kCodecCount; ++codec) {
    base::Bytes bytes = good_batch({.codec = static_cast<Codec>(codec),
                                    .transactional = codec % 2 == 1,
                                    .producer_id = base::ProducerId(codec),
                                    .producer_epoch = base::ProducerEpoch(0),
                                    .base_sequence = 0});
    const base::Bytes before = bytes;
    const auto result = validate_produce(bytes, options());
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->rewritten.empty());
    EXPECT_EQ(bytes, before);
  }
}

// Goal: anything but exactly one whole batch of format 2 is refused with Kafka's codes. Method: one
// case for each.
TEST(ValidateProduce, WantsExactlyOneBatch) {
  EXPECT_EQ(code({}), ErrorCode::kInvalidRecord);
  const base::Bytes good = good_batch();
  EXPECT_EQ(code(base::Bytes(good.begin(), good.end() - 1)), ErrorCode::kInvalidRecord);
  base::Bytes two = good;
  two.insert(two.end(), good.begin(), good.end());
  EXPECT_EQ(code(two), ErrorCode::kInvalidRecord);
  base::Bytes tail = good;
  tail.push_back(std::byte{0});
  EXPECT_EQ(code(tail), ErrorCode::kInvalidRecord);
  base::Bytes old = good;
  old[Layout::kMagic] = std::byte{1};
  EXPECT_EQ(code(old), ErrorCode::kInvalidRecord);
  auto with = options();
  with.produce_version = 2;
  EXPECT_EQ(code(old, with), ErrorCode::kUnsupportedForMessageFormat);
  old[Layout::kMagic] = std::byte{3};
  EXPECT_EQ(code(old, with), ErrorCode::kInvalidRecord);
  base::Bytes negative = good;
  base::store_be(&negative[Layout::kLength], std::int32_t{-1});
  EXPECT_EQ(code(negative), ErrorCode::kCorruptMessage);
}

// Goal: zstd needs produce version 7, unknown codecs are named as such. Method: versions 6 and 7.
TEST(ValidateProduce, ChecksCodec) {
  auto with = options();
  with.produce_version = 6;
  EXPECT_EQ(code(good_batch({.codec = Codec::kZstd}), with),
            ErrorCode::kUnsupportedCompressionType);
  EXPECT_EQ(code(good_batch({.codec = Codec::kLz4}), with), ErrorCode::kNone);
  with.produce_version = 7;
  EXPECT_EQ(code(good_batch({.codec = Codec::kZstd}), with), ErrorCode::kNone);
  for (std::int16_t codec = 5; codec <= 7; ++codec)
    EXPECT_EQ(code(patched(good_batch(), Layout::kAttributes, codec)),
              ErrorCode::kUnsupportedCompressionType);
}

// Goal: size, checksum and each rule of the header have their own error. Method: break one at a
// time, with a right checksum.
TEST(ValidateProduce, ChecksHeader) {
  const base::Bytes good = good_batch();
  base::Bytes moved = good;
  set_base_offset(moved, base::Offset(1));
  EXPECT_EQ(code(moved), ErrorCode::kInvalidRecord);
  auto with = options();
  with.batch_bytes_max = static_cast<std::int32_t>(good.size());
  EXPECT_EQ(code(good, with), ErrorCode::kNone);
  with.batch_bytes_max -= 1;
  EXPECT_EQ(code(good, with), ErrorCode::kMessageTooLarge);
  base::Bytes flipped = good;
  flipped.back() ^= std::byte{1};
  EXPECT_EQ(code(flipped), ErrorCode::kCorruptMessage);
  with = options();
  with.segment_bytes = static_cast<std::int32_t>(good.size()) - 1;
  EXPECT_EQ(code(good, with), ErrorCode::kRecordListTooLarge);

  EXPECT_EQ(code(patched(good, Layout::kLastOffsetDelta, std::int32_t{-1})),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kLastOffsetDelta, std::int32_t{3})),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kCount, std::int32_t{0})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kCount, std::int32_t{-3})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kCount, std::int32_t{2})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(patched(good, Layout::kCount, INT32_MAX), Layout::kLastOffsetDelta,
                         INT32_MAX - 1)),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(build_end_txn_marker({}, base::ProducerId(1), base::ProducerEpoch(0), kNow)),
            ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kProducerId, std::int64_t{5})), ErrorCode::kInvalidRecord);
  EXPECT_EQ(code(patched(good, Layout::kAttributes, Attributes::kLogAppendTime)),
            ErrorCode::kInvalidTimestamp);
}

// Goal: create times must lie in the window, -1 is free, and the refusal names the records.
// Method: timestamps at and past both edges.
TEST(ValidateProduce, ChecksTimestamps) {
  auto at = [](base::WallMs timestamp) { return simple_batch({}, 1, timestamp); };
  auto with = options();
  with.timestamp_after_max_ms = 1000;
  EXPECT_EQ(code(at(kNow + 1000), with), ErrorCode::kNone);
  EXPECT_EQ(code(at(kNow + 1001), with), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code(at(INT64_MAX), with), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code(at(0), with), ErrorCode::kNone);
  with.timestamp_before_max_ms = 500;
  EXPECT_EQ(code(at(kNow - 500), with), ErrorCode::kNone);
  EXPECT_EQ(code(at(kNow - 501), with), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code(at(INT64_MIN), with), ErrorCode::kInvalidTimestamp);
  EXPECT_EQ(code(at(kNoTimestamp), with), ErrorCode::kNone);
  with.timestamp_type = TimestampType::kLogAppendTime;
  EXPECT_EQ(code(at(0), with), ErrorCode::kNone);

  with.timestamp_type = TimestampType::kCreateTime;
  BatchBuilder builder;
  builder.add(kNow, std::nullopt, base::as_bytes("fits"));
  builder.add(kNow + 2000, std::nullopt, base::as_bytes("late"));
  builder.add(kNow + 3000, std::nullopt, base::as_bytes("later"));
  base::Bytes bytes = builder.build();
  const auto result = validate_produce(bytes, with);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidTimestamp);
  ASSERT_EQ(result.error().records.size(), 2u);
  EXPECT_EQ(result.error().records[0].index, 1);
  EXPECT_EQ(result.error().records[1].index, 2);
}

// Goal: a header whose max timestamp is wrong is put right when the records are walked. Method: a
// header that claims too late a time for records that fit.
TEST(ValidateProduce, MendsMaxTimestamp) {
  base::Bytes bytes = patched(good_batch(), Layout::kMaxTimestamp, kNow + 7'200'000);
  ASSERT_TRUE(validate_produce(bytes, options()));
  EXPECT_EQ(test::view(bytes).max_timestamp(), kNow + 2);
  EXPECT_TRUE(test::view(bytes).crc_ok());
}

// Goal: a compacted topic refuses records without key, by index, whatever the codec. Method: keys,
// an empty key, no key.
TEST(ValidateProduce, CompactedTopicsWantKeys) {
  auto with = options();
  with.compacted = true;
  for (int codec = 0; codec < kCodecCount; ++codec) {
    EXPECT_EQ(code(good_batch({.codec = static_cast<Codec>(codec)}), with), ErrorCode::kNone);
    BatchBuilder builder({.codec = static_cast<Codec>(codec)});
    builder.add(kNow, base::as_bytes("key"), std::nullopt);
    builder.add(kNow, base::BytesView{}, std::nullopt);
    builder.add(kNow, std::nullopt, base::as_bytes("value"));
    base::Bytes bytes = builder.build();
    const auto result = validate_produce(bytes, with);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidRecord);
    ASSERT_EQ(result.error().records.size(), 1u);
    EXPECT_EQ(result.error().records[0].index, 2);
    with.compacted = false;
    EXPECT_EQ(code(bytes, with), ErrorCode::kNone);
    with.compacted = true;
  }
}

// Goal: the list of refused records is bounded. Method: more than the bound.
TEST(ValidateProduce, RecordErrorsAreBounded) {
  BatchBuilder builder;
  for (int i = 0; i < 5000; ++i) builder.add(kNow, std::nullopt, std::nullopt);
  base::Bytes bytes = builder.build();
  auto with = options();
  with.compacted = true;
  EXPECT_EQ(validate_produce(bytes, with).error().records.size(), kRecordErrorsMax);
}

// Goal: a topic's own codec rewrites batches of others and only those. Method: each codec against
// each, comparing records.
TEST(ValidateProduce, PutsIntoTheTopicsCodec) {
  for (int to = 0; to < kCodecCount; ++to) {
    for (int from = 0; from < kCodecCount; ++from) {
      base::Bytes bytes = good_batch({.codec = static_cast<Codec>(from)});
      auto with = options();
      with.codec = static_cast<Codec>(to);
      const auto result = validate_produce(bytes, with);
      ASSERT_TRUE(result);
      EXPECT_EQ(result->rewritten.empty(), from == to);
      if (from == to) continue;
      const BatchView batch = test::view(result->rewritten);
      EXPECT_TRUE(batch.crc_ok());
      EXPECT_EQ(batch.codec(), static_cast<Codec>(to));
      EXPECT_EQ(decompress(static_cast<Codec>(to), batch.records(), 1000),
                decompress(static_cast<Codec>(from), test::view(bytes).records(), 1000));
    }
  }
  BatchBuilder builder({.codec = Codec::kZstd});
  builder.add(kNow, base::as_bytes("k"), base::Bytes(10'000));
  auto with = options();
  with.batch_bytes_max = 9'000;
  EXPECT_EQ(code(builder.build(), with), ErrorCode::kNone);
  BatchBuilder again({.codec = Codec::kZstd});
  again.add(kNow, base::as_bytes("k"), base::Bytes(10'000));
  with.codec = Codec::kNone;
  EXPECT_EQ(code(again.build(), with), ErrorCode::kMessageTooLarge);
}

// Goal: what a walk meets is refused: malformed records, damaged streams, bombs, wrong offsets.
// Method: batches with a right checksum over wrong contents.
TEST(ValidateProduce, WalkRefusesBadRecords) {
  auto with = options();
  with.check_every_record = true;
  base::Bytes malformed = good_batch();
  malformed = patched(malformed, kHeaderSize, std::int8_t{2});
  EXPECT_EQ(code(malformed), ErrorCode::kNone);  // stored as sent
  EXPECT_EQ(code(malformed, with), ErrorCode::kInvalidRecord);
  base::Bytes damaged = patched(good_batch({.codec = Codec::kGzip}), kHeaderSize, std::int16_t{0});
  EXPECT_EQ(code(damaged, with), ErrorCode::kInvalidRecord);
  BatchBuilder gap;
  gap.add_at(0, kNow, std::nullopt, std::nullopt);
  gap.add_at(2, kNow, std::nullopt, std::nullopt);
  EXPECT_EQ(code(patched(gap.build(), Layout::kLastOffsetDelta, std::int32_t{1}), with),
            ErrorCode::kInvalidRecord);
  BatchBuilder bomb({.codec = Codec::kZstd});
  bomb.add(kNow, std::nullopt, base::Bytes(100'000));
  with.decompressed_bytes_max = 50'000;
  EXPECT_EQ(code(bomb.build(), with), ErrorCode::kMessageTooLarge);
}

}  // namespace
}  // namespace record
