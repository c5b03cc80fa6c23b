#include "common/record/control.h"

#include <gtest/gtest.h>

#include "common/record/test_support.h"

namespace record {
namespace {

// Goal: markers have the form that Kafka's consumers and tools read. Method: the bytes of the
// record, and the header's flags.
TEST(Control, MarkerBytes) {
  const base::Bytes bytes =
      build_end_txn_marker({.commit = true, .coordinator_epoch = 12}, base::ProducerId(7),
                           base::ProducerEpoch(2), 1'000, base::Offset(55), base::LeaderEpoch(3));
  const BatchView batch = test::view(bytes);
  EXPECT_TRUE(batch.is_control());
  EXPECT_TRUE(batch.is_transactional());
  EXPECT_EQ(batch.base_sequence(), kNoSequence);
  EXPECT_EQ(batch.count(), 1);
  EXPECT_EQ(batch.base_offset(), base::Offset(55));
  // length, attributes, time, offset, key length 4: version 0, type 1; value length 6: version 0,
  // epoch 12; no headers.
  EXPECT_EQ(base::Bytes(batch.records().begin(), batch.records().end()),
            test::from_hex("20000000"
                           "0800000001"
                           "0c00000000000c"
                           "00"));
}

// Goal: markers read back, and nothing else is taken for one. Method: both kinds, then damage.
TEST(Control, ParsesMarkersOnly) {
  for (bool commit : {false, true}) {
    const base::Bytes bytes = build_end_txn_marker({.commit = commit, .coordinator_epoch = 5},
                                                   base::ProducerId(7), base::ProducerEpoch(2), 9);
    EXPECT_EQ(parse_end_txn_marker(test::view(bytes)), (EndTxnMarker{commit, 5}));
    EXPECT_EQ(parse_control_type(test::view(bytes)),
              commit ? ControlType::kCommit : ControlType::kAbort);
  }
  EXPECT_FALSE(parse_end_txn_marker(test::view(test::simple_batch())));
  BatchBuilder other({.control = true});
  other.add(1, test::from_hex("00000002"), base::as_bytes("leader change"));
  const base::Bytes leader_change = other.build();
  EXPECT_EQ(parse_control_type(test::view(leader_change)), ControlType::kLeaderChange);
  EXPECT_FALSE(parse_end_txn_marker(test::view(leader_change)));
  for (const char* key : {"", "000000", "00000063", "0000ffff", "ffff0001"}) {
    BatchBuilder bad({.control = true});
    bad.add(1, test::from_hex(key), test::from_hex("000000000000"));
    EXPECT_FALSE(parse_control_type(test::view(bad.build()))) << key;
  }
  BatchBuilder short_value({.control = true});
  short_value.add(1, test::from_hex("00000001"), test::from_hex("0000000000"));
  EXPECT_FALSE(parse_end_txn_marker(test::view(short_value.build())));
}

}  // namespace
}  // namespace record
