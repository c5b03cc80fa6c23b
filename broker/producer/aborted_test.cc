#include "broker/producer/aborted.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

AbortedTxn txn(std::int64_t id, std::int64_t first, std::int64_t last, std::int64_t stable) {
  return {base::ProducerId(id), base::Offset(first), base::Offset(last), base::Offset(stable)};
}

// Goal: entries have Kafka's bytes. Method: one entry, byte by byte.
TEST(AbortedTxn, Bytes) {
  base::Bytes bytes;
  append_aborted_txn(bytes, txn(1, 2, 3, 0x0102030405060708));
  ASSERT_EQ(bytes.size(), kAbortedTxnSize);
  const unsigned char want[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
                                2, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(0, std::memcmp(bytes.data(), want, sizeof want));
  EXPECT_EQ(read_aborted_txn(bytes), txn(1, 2, 3, 0x0102030405060708));
}

// Goal: short and foreign entries are refused. Method: every prefix, another version.
TEST(AbortedTxn, RefusesMalformed) {
  base::Bytes bytes;
  append_aborted_txn(bytes, txn(1, 2, 3, 4));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(read_aborted_txn(base::BytesView(bytes).first(size)));
  EXPECT_FALSE(
      find_aborted_txns(base::BytesView(bytes).first(33), base::Offset(0), base::Offset(9)));
  bytes[1] = std::byte{1};
  EXPECT_FALSE(read_aborted_txn(bytes));
}

// Goal: a search finds what overlaps the range and stops when nothing further can. Method: three
// transactions, ranges between and across them.
TEST(AbortedTxn, Search) {
  base::Bytes content;
  append_aborted_txn(content, txn(1, 0, 10, 5));
  append_aborted_txn(content, txn(2, 5, 20, 21));
  append_aborted_txn(content, txn(3, 30, 40, 41));
  auto ids = [&](std::int64_t start, std::int64_t end) {
    const auto search = find_aborted_txns(content, base::Offset(start), base::Offset(end));
    std::string text;
    for (const AbortedTxn& each : search->found) text += std::to_string(each.producer_id.value());
    return text + (search->complete ? "." : "");
  };
  EXPECT_EQ(ids(0, 5), "1.");
  EXPECT_EQ(ids(0, 6), "12.");
  EXPECT_EQ(ids(11, 22), "2.");
  EXPECT_EQ(ids(10, 11), "12.");
  EXPECT_EQ(ids(21, 30), ".");
  EXPECT_EQ(ids(21, 31), "3.");
  EXPECT_EQ(ids(0, 100), "123");
  EXPECT_EQ(ids(41, 100), "");
}

}  // namespace
}  // namespace broker
