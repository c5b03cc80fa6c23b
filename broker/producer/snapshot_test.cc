#include <gtest/gtest.h>

#include "broker/producer/producer_states.h"
#include "broker/producer/test_support.h"
#include "common/base/crc32c.h"

namespace broker {
namespace {

using base::Offset;
using base::ProducerId;
using test::batch_bytes;
using test::marker_bytes;

ProducerStates filled() {
  ProducerStates states({});
  const base::Bytes batches[] = {
      batch_bytes({.producer_id = 900, .epoch = 2, .sequence = 4, .count = 3, .timestamp = 77}),
      batch_bytes({.producer_id = 4, .transactional = true, .base_offset = 3}),
      marker_bytes(5, 1, true, 4, 9),
  };
  for (const base::Bytes& bytes : batches) states.apply(test::view(bytes), 0);
  return states;
}

// Goal: the bytes are Kafka's ProducerSnapshot version 1. Method: one entry, field by field.
TEST(ProducerSnapshot, Bytes) {
  ProducerStates states({});
  const base::Bytes batch = batch_bytes({.producer_id = 900,
                                         .epoch = 2,
                                         .sequence = 4,
                                         .count = 3,
                                         .base_offset = 16,
                                         .timestamp = 77});
  states.apply(test::view(batch), 0);
  const base::Bytes content = states.encode_snapshot();
  const unsigned char body[] = {0,    0,    0,    1,                             // entries
                                0,    0,    0,    0,    0,    0,    0x03, 0x84,  // producer id 900
                                0,    2,                                         // epoch
                                0,    0,    0,    6,                             // last sequence
                                0,    0,    0,    0,    0,    0,    0,    18,    // last offset
                                0,    0,    0,    2,                             // offset delta
                                0,    0,    0,    0,    0,    0,    0,    77,    // timestamp
                                0xff, 0xff, 0xff, 0xff,  // coordinator epoch
                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};  // no transaction
  ASSERT_EQ(content.size(), 6 + sizeof body);
  EXPECT_EQ(base::load_be<std::int16_t>(content.data()), 1);
  EXPECT_EQ(0, std::memcmp(content.data() + 6, body, sizeof body));
  EXPECT_EQ(static_cast<std::uint32_t>(base::load_be<std::int32_t>(content.data() + 2)),
            base::crc32c(base::BytesView(content).subspan(6)));
}

// Goal: a snapshot brings back what it can hold: last batch, epochs, open transactions, sorted by
// producer id. Method: write, read, compare, write again.
TEST(ProducerSnapshot, RoundTrips) {
  const ProducerStates before = filled();
  const base::Bytes content = before.encode_snapshot();
  ProducerStates after({});
  ASSERT_TRUE(after.load_snapshot(content, Offset(5), 1'000));
  after.check_invariants();
  EXPECT_EQ(after.end_offset(), Offset(5));
  EXPECT_EQ(after.encode_snapshot(), content);
  std::vector<std::int64_t> ids;
  after.for_each([&](const ProducerEntry& entry) { ids.push_back(entry.producer_id.value()); });
  EXPECT_EQ(ids, (std::vector<std::int64_t>{4, 5, 900}));
  EXPECT_EQ(after.find(ProducerId(900))->batches().front(), (ProducerBatch{6, Offset(2), 2, 77}));
  EXPECT_TRUE(after.find(ProducerId(5))->batches().empty());
  EXPECT_EQ(after.find(ProducerId(5))->coordinator_epoch, 9);
  EXPECT_EQ(after.first_unstable_offset(), Offset(3));
  const base::Bytes retry =
      batch_bytes({.producer_id = 900, .epoch = 2, .sequence = 4, .count = 3});
  EXPECT_EQ(after.check(test::view(retry), AppendOrigin::kClient).kind,
            ProducerVerdict::Kind::kDuplicate);
}

// Goal: damage is refused and leaves nothing behind. Method: every prefix, every flipped byte, a
// repeated producer, offsets behind the end, an absurd count with a right checksum.
TEST(ProducerSnapshot, RefusesDamage) {
  const base::Bytes content = filled().encode_snapshot();
  ProducerStates states({});
  auto refused = [&](base::BytesView bytes, Offset end = Offset(5)) {
    const bool ok = states.load_snapshot(bytes, end, 0).has_value();
    EXPECT_EQ(states.end_offset(), end);
    if (!ok) EXPECT_EQ(states.size(), 0u);
    return !ok;
  };
  auto sealed = [](base::Bytes bytes) {
    base::store_be(&bytes[2], base::crc32c(base::BytesView(bytes).subspan(6)));
    return bytes;
  };
  for (std::size_t size = 0; size < content.size(); ++size)
    EXPECT_TRUE(refused(base::BytesView(content).first(size))) << size;
  for (std::size_t at = 0; at < content.size(); ++at) {
    base::Bytes damaged = content;
    damaged[at] ^= std::byte{4};
    EXPECT_TRUE(refused(damaged)) << at;
  }
  EXPECT_FALSE(refused(content));
  EXPECT_TRUE(refused(content, Offset(2)));
  base::Bytes twice = content;
  std::memcpy(&twice[10 + 46], &twice[10], 8);
  EXPECT_TRUE(refused(sealed(twice)));
  for (std::int32_t count : {-1, 0, 2, 4, INT32_MAX}) {
    base::Bytes absurd = content;
    base::store_be(&absurd[6], count);
    EXPECT_TRUE(refused(sealed(absurd))) << count;
  }
}

// Goal: more producers than the bound keep the latest. Method: a snapshot of three into two.
TEST(ProducerSnapshot, KeepsTheBound) {
  ProducerStates states({.producers_max = 2});
  ASSERT_TRUE(states.load_snapshot(filled().encode_snapshot(), Offset(5), 0));
  states.check_invariants();
  EXPECT_EQ(states.size(), 2u);
  EXPECT_EQ(states.find(ProducerId(900)), nullptr);  // its timestamp is the oldest
}

}  // namespace
}  // namespace broker
