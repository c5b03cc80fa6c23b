#include "common/record/builder.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "common/record/test_support.h"

namespace record {
namespace {

struct Owned {
  std::int64_t timestamp = 0;
  std::int32_t gap = 0;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

rc::Gen<std::optional<std::string>> maybe_text() {
  return rc::gen::map(rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::string<std::string>()),
                      [](std::pair<bool, std::string> drawn) {
                        return drawn.first ? std::optional(drawn.second) : std::nullopt;
                      });
}

rc::Gen<Owned> any_record() {
  return rc::gen::build<Owned>(
      rc::gen::set(&Owned::timestamp, rc::gen::inRange<std::int64_t>(-5, 4'000'000'000'000)),
      rc::gen::set(&Owned::gap, rc::gen::inRange(0, 3)), rc::gen::set(&Owned::key, maybe_text()),
      rc::gen::set(&Owned::value, maybe_text()),
      rc::gen::set(&Owned::headers, rc::gen::container<decltype(Owned::headers)>(rc::gen::pair(
                                        rc::gen::string<std::string>(), maybe_text()))));
}

std::optional<base::BytesView> as_view(const std::optional<std::string>& text) {
  return text ? std::optional(base::as_bytes(*text)) : std::nullopt;
}

std::optional<std::string> as_owned(std::optional<base::BytesView> bytes) {
  return bytes ? std::optional(std::string(base::as_text(*bytes))) : std::nullopt;
}

void add_all(BatchBuilder& builder, const std::vector<Owned>& records) {
  std::int32_t delta = 0;
  for (const Owned& record : records) {
    std::vector<HeaderView> headers;
    for (const auto& [key, value] : record.headers) headers.push_back({key, as_view(value)});
    delta += record.gap;
    builder.add_at(delta++, record.timestamp, as_view(record.key), as_view(record.value), headers);
  }
}

void expect_same(const BatchView& batch, const std::vector<Owned>& records) {
  const auto section = decompress(*batch.codec(), batch.records(), 1 << 24);
  RC_ASSERT(section.has_value());
  RecordReader reader(*section, batch.count());
  RecordView record;
  std::int32_t delta = 0;
  std::int64_t max_timestamp = INT64_MIN;
  for (const Owned& want : records) {
    RC_ASSERT(reader.next(record));
    delta += want.gap;
    RC_ASSERT(record.offset_delta == delta++);
    RC_ASSERT(batch.base_timestamp() + record.timestamp_delta == want.timestamp);
    RC_ASSERT(as_owned(record.key) == want.key);
    RC_ASSERT(as_owned(record.value) == want.value);
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    for (const HeaderView& header : record.headers)
      headers.emplace_back(std::string(header.key), as_owned(header.value));
    RC_ASSERT(headers == want.headers);
    max_timestamp = std::max(max_timestamp, want.timestamp);
  }
  RC_ASSERT(!reader.next(record));
  RC_ASSERT(reader.error().empty());
  RC_ASSERT(batch.max_timestamp() == max_timestamp);
  RC_ASSERT(batch.last_offset_delta() == delta - 1);
}

// Goal: what is built is read back, with every codec. Method: random records, rapidcheck.
TEST(BatchBuilder, RoundTrips) {
  EXPECT_TRUE(rc::check("batches round-trip", [] {
    const auto records = *rc::gen::nonEmpty(rc::gen::container<std::vector<Owned>>(any_record()));
    const auto codec = static_cast<Codec>(*rc::gen::inRange(0, kCodecCount));
    BatchBuilder builder({.base_offset = base::Offset(5), .codec = codec});
    add_all(builder, records);
    RC_ASSERT(builder.count() == static_cast<std::int32_t>(records.size()));
    const base::Bytes bytes = builder.build();
    const BatchView batch = test::view(bytes);
    RC_ASSERT(batch.total_size() == bytes.size());
    RC_ASSERT(batch.crc_ok());
    RC_ASSERT(batch.codec() == codec);
    RC_ASSERT(batch.base_offset() == base::Offset(5));
    expect_same(batch, records);
  }));
}

// Goal: another codec changes nothing but the codec. Method: recompress from each to each.
TEST(BatchBuilder, Recompresses) {
  for (int from = 0; from < kCodecCount; ++from) {
    const base::Bytes first = test::simple_batch({.codec = static_cast<Codec>(from),
                                                  .transactional = true,
                                                  .producer_id = base::ProducerId(9),
                                                  .producer_epoch = base::ProducerEpoch(1),
                                                  .base_sequence = 4},
                                                 50);
    for (int to = 0; to < kCodecCount; ++to) {
      const auto second =
          recompress(test::view(first), static_cast<Codec>(to), std::nullopt, 1 << 20);
      ASSERT_TRUE(second);
      const BatchView batch = test::view(*second);
      EXPECT_TRUE(batch.crc_ok());
      EXPECT_EQ(batch.codec(), static_cast<Codec>(to));
      EXPECT_TRUE(batch.is_transactional());
      EXPECT_EQ(batch.base_sequence(), 4);
      EXPECT_EQ(batch.max_timestamp(), test::view(first).max_timestamp());
      EXPECT_EQ(decompress(*batch.codec(), batch.records(), 1 << 20),
                decompress(static_cast<Codec>(from), test::view(first).records(), 1 << 20));
    }
    EXPECT_FALSE(recompress(test::view(first), Codec::kZstd, std::nullopt, 100));
  }
}

// Goal: compaction can leave a header that spans offsets without records. Method: build one.
TEST(BatchBuilder, EmptyBatchSpansOffsets) {
  BatchBuilder builder({.base_offset = base::Offset(100)});
  builder.set_last_offset_delta(9);
  const base::Bytes bytes = builder.build();
  EXPECT_EQ(bytes.size(), kHeaderSize);
  EXPECT_EQ(test::view(bytes).count(), 0);
  EXPECT_EQ(test::view(bytes).next_offset(), base::Offset(110));
  EXPECT_TRUE(test::view(bytes).crc_ok());
}

}  // namespace
}  // namespace record
