#include "common/record/batch_view.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/record/record_view.h"
#include "common/record/test_support.h"

namespace record {
namespace {

using test::from_hex;
using test::simple_batch;

// Made by hand, field by field, from the format's description: three records, a transactional
// producer, base offset 1000, leader epoch 7.
constexpr std::string_view kGolden =
    "00000000000003e80000009d0000000702c83b6d000010000000020000018bcfe568000000018bcfe568fa000000"
    "00000012670003000000630000000328000000046b300a68656c6c6f0402680231026e010e00f403020101009a01"
    "000504008c0178787878787878787878787878787878787878787878787878787878787878787878787878787878"
    "78787878787878787878787878787878787878787878787878787878787800";

// Goal: every field is where Kafka has it. Method: a batch made by hand.
TEST(BatchView, ReadsGoldenHeader) {
  const base::Bytes bytes = from_hex(kGolden);
  const BatchView batch = test::view(bytes);
  EXPECT_EQ(batch.total_size(), bytes.size());
  EXPECT_EQ(batch.base_offset(), base::Offset(1000));
  EXPECT_EQ(batch.last_offset(), base::Offset(1002));
  EXPECT_EQ(batch.next_offset(), base::Offset(1003));
  EXPECT_EQ(batch.leader_epoch(), base::LeaderEpoch(7));
  EXPECT_EQ(batch.magic(), 2);
  EXPECT_EQ(batch.crc(), 0xc83b6d00u);
  EXPECT_TRUE(batch.crc_ok());
  EXPECT_EQ(batch.codec(), Codec::kNone);
  EXPECT_FALSE(batch.is_compressed());
  EXPECT_EQ(batch.timestamp_type(), TimestampType::kCreateTime);
  EXPECT_TRUE(batch.is_transactional());
  EXPECT_FALSE(batch.is_control());
  EXPECT_FALSE(batch.has_delete_horizon());
  EXPECT_EQ(batch.base_timestamp(), 1'700'000'000'000);
  EXPECT_EQ(batch.max_timestamp(), 1'700'000'000'250);
  EXPECT_EQ(batch.producer_id(), base::ProducerId(4711));
  EXPECT_EQ(batch.producer_epoch(), base::ProducerEpoch(3));
  EXPECT_EQ(batch.base_sequence(), 99);
  EXPECT_EQ(batch.last_sequence(), 101);
  EXPECT_EQ(batch.count(), 3);
}

// Goal: the records of the hand-made batch read as they were meant. Method: compare each field.
TEST(BatchView, ReadsGoldenRecords) {
  const base::Bytes bytes = from_hex(kGolden);
  const BatchView batch = test::view(bytes);
  RecordReader reader(batch.records(), batch.count());
  RecordView record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(base::as_text(*record.key), "k0");
  EXPECT_EQ(base::as_text(*record.value), "hello");
  ASSERT_EQ(record.headers.size(), 2);
  auto header = record.headers.begin();
  EXPECT_EQ(header->key, "h");
  EXPECT_EQ(base::as_text(*header->value), "1");
  ++header;
  EXPECT_EQ(header->key, "n");
  EXPECT_FALSE(header->value);
  ASSERT_TRUE(reader.next(record));
  EXPECT_FALSE(record.key);
  EXPECT_FALSE(record.value);
  EXPECT_EQ(record.timestamp_delta, 250);
  EXPECT_TRUE(record.headers.empty());
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(record.key->size(), 0u);
  EXPECT_EQ(record.value->size(), 70u);
  EXPECT_EQ(record.timestamp_delta, -3);
  EXPECT_EQ(record.offset_delta, 2);
  EXPECT_FALSE(reader.next(record));
  EXPECT_EQ(reader.error(), "");
}

// Goal: the builder makes those very bytes. Method: build the same batch and compare.
TEST(BatchView, BuilderMakesGolden) {
  constexpr base::WallMs kTime = 1'700'000'000'000;
  BatchBuilder builder({.base_offset = base::Offset(1000),
                        .leader_epoch = base::LeaderEpoch(7),
                        .transactional = true,
                        .producer_id = base::ProducerId(4711),
                        .producer_epoch = base::ProducerEpoch(3),
                        .base_sequence = 99});
  const HeaderView headers[] = {{"h", base::as_bytes("1")}, {"n", std::nullopt}};
  builder.add(kTime, base::as_bytes("k0"), base::as_bytes("hello"), headers);
  builder.add(kTime + 250, std::nullopt, std::nullopt);
  builder.add(kTime - 3, base::BytesView{}, base::as_bytes(std::string(70, 'x')));
  EXPECT_EQ(builder.build(), from_hex(kGolden));
}

// Goal: no prefix of a batch is taken for a batch. Method: parse every prefix.
TEST(BatchView, RefusesEveryPrefix) {
  const base::Bytes bytes = from_hex(kGolden);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto batch = BatchView::parse(base::BytesView(bytes).first(size));
    ASSERT_FALSE(batch) << size;
    EXPECT_EQ(batch.error(), ParseError::kIncomplete) << size;
  }
}

// Goal: absurd lengths and formats are named. Method: patch the fields of a good batch.
TEST(BatchView, RefusesBadLengthsAndFormats) {
  for (std::int32_t length : {std::numeric_limits<std::int32_t>::min(), -1, 0, 48}) {
    base::Bytes bytes = from_hex(kGolden);
    base::store_be(&bytes[Layout::kLength], length);
    EXPECT_EQ(BatchView::parse(bytes).error(), ParseError::kBadLength) << length;
  }
  base::Bytes bytes = from_hex(kGolden);
  base::store_be(&bytes[Layout::kLength], std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(BatchView::parse(bytes).error(), ParseError::kIncomplete);
  for (int magic : {0, 1, 3, 127, 255}) {
    bytes[Layout::kMagic] = static_cast<std::byte>(magic);
    EXPECT_EQ(BatchView::parse(bytes).error(),
              magic < 2 ? ParseError::kOldMagic : ParseError::kUnknownMagic);
  }
}

// Goal: no sum of an offset and a count runs over. Method: offsets at both ends, with the largest
// delta.
TEST(BatchView, RefusesOffsetsThatNoLogHas) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  constexpr std::int32_t kDelta = std::numeric_limits<std::int32_t>::max();
  base::Bytes bytes = from_hex(kGolden);
  base::store_be(&bytes[Layout::kLastOffsetDelta], kDelta);
  for (const std::int64_t offset :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, kMax, kMax - kDelta}) {
    set_base_offset(bytes, base::Offset(offset));
    EXPECT_EQ(BatchView::parse(bytes).error(), ParseError::kBadOffsets) << offset;
  }
  set_base_offset(bytes, base::Offset(kMax - kDelta - 1));
  EXPECT_EQ(BatchView::parse(bytes)->next_offset(), base::Offset(kMax));
}

// Goal: what a broker stamps outside the checksum leaves it right, what it stamps inside is summed
// anew, and a flipped bit anywhere behind is found. Method: stamp and flip.
TEST(BatchView, StampsAndChecksum) {
  base::Bytes bytes = simple_batch();
  const std::uint32_t crc = test::view(bytes).crc();
  set_base_offset(bytes, base::Offset(123456789012));
  set_leader_epoch(bytes, base::LeaderEpoch(42));
  EXPECT_EQ(test::view(bytes).base_offset(), base::Offset(123456789012));
  EXPECT_EQ(test::view(bytes).leader_epoch(), base::LeaderEpoch(42));
  EXPECT_EQ(test::view(bytes).crc(), crc);
  EXPECT_TRUE(test::view(bytes).crc_ok());

  set_max_timestamp(bytes, TimestampType::kLogAppendTime, 777);
  EXPECT_EQ(test::view(bytes).timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(test::view(bytes).max_timestamp(), 777);
  EXPECT_EQ(test::view(bytes).base_timestamp(), 1'000'000);
  EXPECT_NE(test::view(bytes).crc(), crc);
  EXPECT_TRUE(test::view(bytes).crc_ok());
  set_max_timestamp(bytes, TimestampType::kCreateTime, 1'000'002);
  EXPECT_EQ(test::view(bytes).crc(), crc);

  for (std::size_t at = Layout::kCrc; at < bytes.size(); ++at) {
    bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(test::view(bytes).crc_ok()) << at;
    bytes[at] ^= std::byte{0x10};
  }
}

// Goal: sequences go on at 0 after INT32_MAX. Method: sums around the edge.
TEST(BatchView, SequencesWrap) {
  constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(add_sequence(0, 0), 0);
  EXPECT_EQ(add_sequence(kMax, 0), kMax);
  EXPECT_EQ(add_sequence(kMax, 1), 0);
  EXPECT_EQ(add_sequence(kMax - 1, 5), 3);
  const base::Bytes bytes = simple_batch({.producer_id = base::ProducerId(1),
                                          .producer_epoch = base::ProducerEpoch(0),
                                          .base_sequence = kMax - 1});
  EXPECT_EQ(test::view(bytes).last_sequence(), 0);
  EXPECT_EQ(test::view(simple_batch()).last_sequence(), kNoSequence);
}

// Goal: the delete horizon is told apart from a base timestamp. Method: build with one.
TEST(BatchView, DeleteHorizon) {
  BatchBuilder builder({.delete_horizon = 5'000});
  builder.add(1'000, base::as_bytes("k"), std::nullopt);
  const base::Bytes bytes = builder.build();
  const BatchView batch = test::view(bytes);
  EXPECT_TRUE(batch.has_delete_horizon());
  EXPECT_EQ(batch.delete_horizon(), 5'000);
  EXPECT_EQ(batch.max_timestamp(), 1'000);
  RecordReader reader(batch.records(), 1);
  RecordView record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(record.timestamp_delta, -4'000);
  EXPECT_FALSE(test::view(simple_batch()).delete_horizon());
}

// Goal: the reader steps through batches and says where and why it stopped. Method: three batches,
// whole, cut short, and with a broken one in between.
TEST(BatchReader, StepsAndStops) {
  base::Bytes all;
  std::size_t second_end = 0;
  for (int i = 1; i <= 3; ++i) {
    const base::Bytes one = simple_batch({.base_offset = base::Offset(10 * i)}, i);
    all.insert(all.end(), one.begin(), one.end());
    if (i == 2) second_end = all.size();
  }
  BatchReader whole(all);
  for (int i = 1; i <= 3; ++i) {
    const auto batch = whole.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->base_offset(), base::Offset(10 * i));
  }
  EXPECT_FALSE(whole.next());
  EXPECT_FALSE(whole.error());
  EXPECT_EQ(whole.position(), all.size());

  BatchReader cut(base::BytesView(all).first(all.size() - 1));
  while (cut.next()) {
  }
  EXPECT_EQ(cut.error(), ParseError::kIncomplete);
  EXPECT_EQ(cut.position(), second_end);

  all[second_end + Layout::kMagic] = std::byte{9};
  BatchReader broken(all);
  while (broken.next()) {
  }
  EXPECT_EQ(broken.error(), ParseError::kUnknownMagic);
  EXPECT_EQ(broken.position(), second_end);
  EXPECT_FALSE(broken.next());
}

}  // namespace
}  // namespace record
