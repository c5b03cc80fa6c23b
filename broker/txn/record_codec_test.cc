#include "broker/txn/record_codec.h"

#include <gtest/gtest.h>

namespace broker::txn {
namespace {

Transaction sample(State state) {
  Transaction out{.id = "x",
                  .state = state,
                  .producer_id = base::ProducerId(4'711),
                  .previous_producer_id = base::ProducerId(4'710),
                  .epoch = base::ProducerEpoch(3),
                  .timeout_ms = 60'000,
                  .partitions = {},
                  .started_ms = 1'700'000'000'000,
                  .updated_ms = 1'700'000'000'001,
                  .client_version = 2};
  if (state == State::kOngoing) out.partitions = {{"a", 0}, {"a", 7}, {"b", 1}};
  if (state == State::kPrepareCommit) out.next_producer_id = base::ProducerId(4'712);
  return out;
}

// Goal: what is written is read back, in every state.
TEST(TxnRecord, RoundTrip) {
  for (int i = 0; i <= 6; ++i) {
    const Transaction saved = sample(static_cast<State>(i));
    const Record record = encode_transaction(saved);
    const auto read = decode_record(record.key, *record.value);
    const auto* known = std::get_if<TransactionRecord>(&read);
    ASSERT_NE(known, nullptr);
    ASSERT_TRUE(known->value);
    EXPECT_TRUE(known->value->same_record(saved)) << name(saved.state);
  }
  const Record gone = encode_tombstone("x");
  const auto read = decode_record(gone.key, std::nullopt);
  EXPECT_EQ(std::get<TransactionRecord>(read).id, "x");
  EXPECT_FALSE(std::get<TransactionRecord>(read).value);
}

// Goal: the bytes are Kafka's. Method: version 0 of a value, put together by hand from its schema.
TEST(TxnRecord, ReadsKafkasBytes) {
  const auto bytes = [](std::initializer_list<int> list) {
    base::Bytes out;
    for (const int each : list) out.push_back(static_cast<std::byte>(each));
    return out;
  };
  const base::Bytes key = bytes({0, 0, 0, 1, 'x'});
  const base::Bytes value =
      bytes({0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x67, 0, 3, 0, 0, 0xea, 0x60, 1, 0, 0, 0, 1, 0, 1, 'a',
             0, 0, 0, 1, 0, 0, 0, 7, 0,    0,    0, 0, 0, 0, 0,    9,    0, 0, 0, 0, 0, 0, 0, 8});
  const auto read = decode_record(key, base::BytesView(value));
  const auto& known = std::get<TransactionRecord>(read);
  ASSERT_TRUE(known.value);
  EXPECT_EQ(known.value->producer_id, base::ProducerId(0x1267));
  EXPECT_EQ(known.value->timeout_ms, 60'000);
  EXPECT_TRUE(known.value->is(State::kOngoing));
  EXPECT_EQ(known.value->partitions, (std::set<TopicPartition>{{"a", 7}}));
  EXPECT_EQ(known.value->updated_ms, 9);
  EXPECT_EQ(known.value->started_ms, 8);
}

// Goal: damage and newer forms are told apart, and no cut record is taken.
TEST(TxnRecord, RefusesDamage) {
  const Record record = encode_transaction(sample(State::kOngoing));
  for (std::size_t size = 0; size < record.value->size(); ++size) {
    const auto read = decode_record(record.key, base::BytesView(*record.value).first(size));
    EXPECT_FALSE(std::holds_alternative<TransactionRecord>(read)) << size;
  }
  base::Bytes newer = *record.value;
  newer[1] = std::byte{9};
  EXPECT_TRUE(
      std::holds_alternative<UnknownRecord>(decode_record(record.key, base::BytesView(newer))));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(decode_record({}, std::nullopt)));
}

}  // namespace
}  // namespace broker::txn
