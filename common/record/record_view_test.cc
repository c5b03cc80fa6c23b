#include "common/record/record_view.h"

#include <gtest/gtest.h>

#include "common/base/varint.h"
#include "common/record/test_support.h"

namespace record {
namespace {

// The reader's complaint about `section`, or "" when it reads to the end.
std::string complaint(base::BytesView section, std::int32_t count) {
  RecordReader reader(section, count);
  RecordView record;
  while (reader.next(record)) {
    for (const HeaderView& header : record.headers) EXPECT_LE(header.key.size(), section.size());
  }
  return std::string(reader.error());
}

// One record with a body given as hex, its length in front.
base::Bytes framed(std::string_view body_hex) {
  const base::Bytes body = test::from_hex(body_hex);
  base::Bytes bytes;
  base::append_varint(bytes, static_cast<std::int32_t>(body.size()));
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

// Goal: each malformed field is refused by name. Method: one broken body for each.
TEST(RecordReader, RefusesMalformedFields) {
  EXPECT_EQ(complaint(framed("00000001010000"), 1),
            "bytes are left behind the headers of the record");
  EXPECT_EQ(complaint(framed("000000010100"), 1), "");
  EXPECT_EQ(complaint(framed(""), 1), "the record is empty");
  EXPECT_EQ(complaint(framed("00"), 1), "the timestamp delta is malformed");
  EXPECT_EQ(complaint(framed("00ff"), 1), "the timestamp delta is malformed");
  EXPECT_EQ(complaint(framed("0000"), 1), "the offset delta is malformed");
  EXPECT_EQ(complaint(framed("0000ffffffffff7f"), 1), "the offset delta is malformed");
  EXPECT_EQ(complaint(framed("000000"), 1), "the key does not fit the record");
  EXPECT_EQ(complaint(framed("0000000261"), 1), "the value does not fit the record");
  EXPECT_EQ(complaint(framed("00000003010000"), 1), "the key does not fit the record");  // -2
  EXPECT_EQ(complaint(framed("00000064010000"), 1), "the key does not fit the record");  // 50
  EXPECT_EQ(complaint(framed("0000000101"), 1), "the record ends before its header count");
  EXPECT_EQ(complaint(framed("000000010101"), 1), "the header count is negative");
  EXPECT_EQ(complaint(framed("000000010102"), 1), "a header is malformed");
  EXPECT_EQ(complaint(framed("00000001010201"), 1), "a header is malformed");  // null key
  EXPECT_EQ(complaint(framed("000000010102"), 1), "a header is malformed");
  EXPECT_EQ(complaint(framed("00000001010200"
                             "01"),
                      1),
            "");  // empty key, null value
  EXPECT_EQ(complaint(framed("0000000101feffffff0f"), 1), "a header is malformed");  // 2^31 - 1
}

// Goal: counts and lengths that do not match the bytes are refused. Method: wrong counts, a record
// longer than the section.
TEST(RecordReader, RefusesWrongCounts) {
  const base::Bytes one = framed("000000010100");
  EXPECT_EQ(complaint(one, 2), "there are fewer records than the header declares");
  EXPECT_EQ(complaint(one, INT32_MAX), "there are fewer records than the header declares");
  EXPECT_EQ(complaint(one, 0), "bytes are left behind the last record");
  EXPECT_EQ(complaint(one, -1), "the record count is negative");
  EXPECT_EQ(complaint({}, 0), "");
  EXPECT_EQ(complaint(base::BytesView(one).first(one.size() - 1), 1),
            "the record is longer than the batch");
  EXPECT_EQ(complaint(test::from_hex("ffffffffff"), 1), "the record length is malformed");
  EXPECT_EQ(complaint(test::from_hex("01"), 1), "the record is longer than the batch");  // -1
}

// Goal: no prefix and no flipped byte makes the reader leave its bytes or run for ever. Method: all
// prefixes, and every byte of a section set to telling values (asan watches the bounds).
TEST(RecordReader, SurvivesDamage) {
  const base::Bytes batch = test::simple_batch({}, 8);
  const base::Bytes section(batch.begin() + kHeaderSize, batch.end());
  for (std::size_t size = 0; size < section.size(); ++size)
    EXPECT_NE(complaint(base::BytesView(section).first(size), 8), "") << size;
  for (std::size_t at = 0; at < section.size(); ++at) {
    for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      base::Bytes damaged = section;
      damaged[at] = static_cast<std::byte>(value);
      complaint(damaged, 8);
    }
  }
}

}  // namespace
}  // namespace record
