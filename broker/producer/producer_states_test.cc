#include "broker/producer/producer_states.h"

#include <gtest/gtest.h>

#include "broker/producer/test_support.h"

namespace broker {
namespace {

using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;
using test::batch_bytes;
using test::marker_bytes;
using test::Sent;
using wire::ErrorCode;
using Kind = ProducerVerdict::Kind;

constexpr std::int32_t kMax = INT32_MAX;

// States under test with a little log: appends give the next offset.
class ProducerStatesTest : public ::testing::Test {
 protected:
  ProducerVerdict check(const Sent& sent, AppendOrigin origin = AppendOrigin::kClient) {
    const base::Bytes bytes = batch_bytes(sent);
    return states_.check(test::view(bytes), origin);
  }
  ErrorCode error(const Sent& sent, AppendOrigin origin = AppendOrigin::kClient) {
    const ProducerVerdict verdict = check(sent, origin);
    EXPECT_EQ(verdict.kind == Kind::kRefused, verdict.error != ErrorCode::kNone);
    EXPECT_EQ(verdict.message.empty(), verdict.error == ErrorCode::kNone);
    return verdict.error;
  }
  // Appends without asking.
  void append(Sent sent) {
    sent.base_offset = states_.end_offset().value();
    const base::Bytes bytes = batch_bytes(sent);
    EXPECT_FALSE(states_.apply(test::view(bytes), now_));
    states_.check_invariants();
  }
  std::optional<CompletedTxn> end_txn(std::int64_t id, std::int16_t epoch, bool commit,
                                      std::int32_t coordinator_epoch = 0) {
    const base::Bytes bytes =
        marker_bytes(id, epoch, commit, states_.end_offset().value(), coordinator_epoch);
    auto completed = states_.apply(test::view(bytes), now_);
    states_.check_invariants();
    return completed;
  }

  ProducerStates states_{{.expiration_ms = 1'000, .producers_max = 4}};
  base::WallMs now_ = 10'000;
};

// Goal: sequences must follow one another; an unknown producer may begin anywhere. Method: gaps,
// repeats beyond the window, and a first batch with a high sequence.
TEST_F(ProducerStatesTest, SequencesFollow) {
  EXPECT_EQ(check({.sequence = 500}).kind, Kind::kAppend);
  append({.sequence = 500, .count = 10});
  EXPECT_EQ(check({.sequence = 510}).kind, Kind::kAppend);
  EXPECT_EQ(error({.sequence = 511}), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(error({.sequence = 505}), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(error({.sequence = 0}), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(check({.producer_id = 2, .sequence = 7}).kind, Kind::kAppend);
}

// Goal: a batch that others of its producer would have to come before is told from one that comes
// too late. Method: beyond and behind what is next, across the edge too, in a later epoch, and of a
// producer that is not known.
TEST_F(ProducerStatesTest, GapsAreToldFromWhatIsLate) {
  EXPECT_TRUE(check({.sequence = 1}).gap);
  EXPECT_FALSE(check({.sequence = 0}).gap);
  append({.sequence = 500, .count = 10});
  EXPECT_FALSE(check({.sequence = 510}).gap);
  EXPECT_TRUE(check({.sequence = 511}).gap);
  EXPECT_FALSE(check({.sequence = 505}).gap);
  EXPECT_FALSE(check({.sequence = 500, .count = 10}).gap);
  EXPECT_TRUE(check({.epoch = 1, .sequence = 3}).gap);
  EXPECT_FALSE(check({.epoch = 1, .sequence = 0}).gap);
  append({.producer_id = 2, .sequence = kMax - 1, .count = 1});
  EXPECT_TRUE(check({.producer_id = 2, .sequence = 5}).gap);
  EXPECT_FALSE(check({.producer_id = 2, .sequence = kMax - 9}).gap);
  EXPECT_FALSE(check({.producer_id = 3, .sequence = 9}, AppendOrigin::kReplication).gap);
}

// Goal: a batch without a producer id is nobody's business. Method: plain batches between others.
TEST_F(ProducerStatesTest, PlainBatchesPass) {
  append({.producer_id = -1, .epoch = -1, .sequence = -1, .count = 3});
  EXPECT_EQ(states_.size(), 0u);
  EXPECT_EQ(states_.end_offset(), Offset(3));
  EXPECT_EQ(check({.producer_id = -1, .epoch = -1, .sequence = -1}).kind, Kind::kAppend);
}

// Goal: the last five batches are recognised with the offset and time they got; the sixth is out of
// order, and so is a batch that only overlaps. Method: seven batches of two records.
TEST_F(ProducerStatesTest, RecognisesLastFive) {
  for (int i = 0; i < 7; ++i) append({.sequence = 2 * i, .count = 2, .timestamp = 1'000 + i});
  for (int i = 0; i < 7; ++i) {
    const ProducerVerdict verdict = check({.sequence = 2 * i, .count = 2});
    if (i < 2) {
      EXPECT_EQ(verdict.error, ErrorCode::kOutOfOrderSequenceNumber) << i;
      continue;
    }
    ASSERT_EQ(verdict.kind, Kind::kDuplicate) << i;
    EXPECT_EQ(verdict.duplicate.first_offset(), Offset(2 * i));
    EXPECT_EQ(verdict.duplicate.last_offset, Offset(2 * i + 1));
    EXPECT_EQ(verdict.duplicate.timestamp, 1'000 + i);
  }
  EXPECT_EQ(error({.sequence = 12, .count = 1}), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(error({.sequence = 12, .count = 3}), ErrorCode::kOutOfOrderSequenceNumber);
}

// Goal: sequences go from INT32_MAX on to 0, in batches across the edge and next to it, and such
// batches are recognised too. Method: three batches around the edge.
TEST_F(ProducerStatesTest, SequencesWrap) {
  append({.sequence = kMax - 3, .count = 2});
  append({.sequence = kMax - 1, .count = 4});
  EXPECT_EQ(check({.sequence = kMax - 1, .count = 4}).kind, Kind::kDuplicate);
  EXPECT_EQ(check({.sequence = 2}).kind, Kind::kAppend);
  EXPECT_EQ(error({.sequence = 0}), ErrorCode::kOutOfOrderSequenceNumber);
  append({.producer_id = 2, .sequence = kMax, .count = 1});
  EXPECT_EQ(check({.producer_id = 2, .sequence = 0}).kind, Kind::kAppend);
  EXPECT_EQ(check({.producer_id = 2, .sequence = kMax}).kind, Kind::kDuplicate);
}

// Goal: a new epoch begins at 0 and fences the old one. Method: epochs below, at and above.
TEST_F(ProducerStatesTest, EpochsFence) {
  append({.epoch = 3, .sequence = 0});
  EXPECT_EQ(error({.epoch = 2, .sequence = 1}), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(error({.epoch = 4, .sequence = 1}), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(check({.epoch = 4, .sequence = 0}).kind, Kind::kAppend);
  append({.epoch = 4, .sequence = 0});
  EXPECT_EQ(error({.epoch = 3, .sequence = 0}), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(check({.epoch = 4, .sequence = 0}).kind, Kind::kDuplicate);
}

// Goal: coordinators only have epochs, followers are not judged. Method: batches that a client
// could not send.
TEST_F(ProducerStatesTest, OriginsDiffer) {
  append({.epoch = 3, .sequence = 0});
  EXPECT_EQ(error({.epoch = 3, .sequence = -1}, AppendOrigin::kCoordinator), ErrorCode::kNone);
  EXPECT_EQ(error({.epoch = 2, .sequence = -1}, AppendOrigin::kCoordinator),
            ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(error({.epoch = 2, .sequence = 77}, AppendOrigin::kReplication), ErrorCode::kNone);
}

// Goal: the last stable offset stops at the oldest open transaction, and after the marker until the
// high watermark has passed it. Method: two transactions that overlap.
TEST_F(ProducerStatesTest, LastStableOffset) {
  append({.producer_id = 1, .transactional = true});                 // 0
  append({.producer_id = 2, .transactional = true});                 // 1
  append({.producer_id = 1, .sequence = 1, .transactional = true});  // 2
  EXPECT_EQ(states_.last_stable_offset(Offset(3)), Offset(0));
  const auto first = end_txn(1, 0, false);  // 3
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->aborted);
  EXPECT_EQ(first->index_entry(), (AbortedTxn{ProducerId(1), Offset(0), Offset(3), Offset(1)}));
  EXPECT_EQ(states_.last_stable_offset(Offset(3)), Offset(0));  // marker not replicated
  EXPECT_EQ(states_.last_stable_offset(Offset(4)), Offset(1));
  states_.on_high_watermark(Offset(4));
  EXPECT_EQ(states_.first_unstable_offset(), Offset(1));
  const auto second = end_txn(2, 0, true);  // 4
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->aborted);
  EXPECT_EQ(second->last_stable_offset, Offset(5));
  EXPECT_EQ(states_.last_stable_offset(Offset(5)), Offset(5));
  states_.on_high_watermark(Offset(5));
  EXPECT_FALSE(states_.first_unstable_offset());
  EXPECT_EQ(states_.last_stable_offset(Offset(5)), Offset(5));
}

// Goal: a marker without a transaction completes nothing but leaves its epochs. Method: markers for
// an unknown producer and twice for a known one.
TEST_F(ProducerStatesTest, MarkersWithoutTransaction) {
  EXPECT_FALSE(end_txn(9, 5, true, 3));
  ASSERT_NE(states_.find(ProducerId(9)), nullptr);
  EXPECT_EQ(states_.find(ProducerId(9))->coordinator_epoch, 3);
  EXPECT_EQ(states_.find(ProducerId(9))->last_sequence(), record::kNoSequence);
  EXPECT_EQ(check({.producer_id = 9, .epoch = 5, .sequence = 0}).kind, Kind::kAppend);
  EXPECT_EQ(error({.producer_id = 9, .epoch = 5, .sequence = 1}),
            ErrorCode::kOutOfOrderSequenceNumber);
  append({.producer_id = 1, .transactional = true});
  EXPECT_TRUE(end_txn(1, 0, true));
  EXPECT_FALSE(end_txn(1, 0, true));
}

// Goal: a producer does not write outside its open transaction. Method: a plain batch in between.
TEST_F(ProducerStatesTest, OpenTransactionsStayTransactional) {
  append({.transactional = true});
  EXPECT_EQ(error({.sequence = 1}), ErrorCode::kInvalidTxnState);
  EXPECT_EQ(error({.sequence = 1, .transactional = true}), ErrorCode::kNone);
  end_txn(1, 0, true);
  EXPECT_EQ(error({.sequence = 1}), ErrorCode::kNone);
}

// Goal: markers are fenced by producer epoch (strictly from transaction version 2 on, but for a
// repeat) and by coordinator epoch. Method: the cases one by one.
TEST_F(ProducerStatesTest, MarkersAreFenced) {
  auto marker = [&](std::int16_t epoch, std::int32_t coordinator_epoch, int version) {
    return states_.check_marker(ProducerId(1), ProducerEpoch(epoch), coordinator_epoch, version)
        .error;
  };
  EXPECT_EQ(marker(0, 0, 2), ErrorCode::kNone);  // unknown producer
  append({.epoch = 5, .transactional = true});
  EXPECT_EQ(marker(4, 0, 1), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(marker(5, 0, 1), ErrorCode::kNone);
  EXPECT_EQ(marker(5, 0, 2), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(marker(6, 0, 2), ErrorCode::kNone);
  end_txn(1, 6, true, 7);
  EXPECT_EQ(marker(6, 7, 2), ErrorCode::kNone);  // sent again
  EXPECT_EQ(marker(6, 6, 2), ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(marker(5, 7, 2), ErrorCode::kInvalidProducerEpoch);
}

// Goal: idle producers go after their time, those with open transactions stay. Method: a clock.
TEST_F(ProducerStatesTest, Expires) {
  append({.producer_id = 1, .timestamp = 5});  // an old record, from a producer that is not idle
  append({.producer_id = 2, .transactional = true});
  now_ += 500;
  append({.producer_id = 3});
  EXPECT_EQ(states_.expire(now_ + 499), 0u);
  EXPECT_EQ(states_.expire(now_ + 500), 1u);
  EXPECT_EQ(states_.find(ProducerId(1)), nullptr);
  EXPECT_EQ(states_.expire(now_ + 1'000'000), 1u);
  EXPECT_NE(states_.find(ProducerId(2)), nullptr);
  states_.check_invariants();
  now_ += 2'000'000;
  end_txn(2, 0, true);
  EXPECT_EQ(states_.expire(now_ + 999), 0u);
  EXPECT_EQ(states_.expire(now_ + 1'000), 1u);
}

// Goal: the number of producers is bounded; the longest idle go, open transactions are never
// forgotten and then refuse strangers. Method: a bound of four.
TEST_F(ProducerStatesTest, CountIsBounded) {
  for (int id = 1; id <= 4; ++id) append({.producer_id = id});
  append({.producer_id = 1, .sequence = 1});
  append({.producer_id = 5});
  EXPECT_EQ(states_.size(), 4u);
  EXPECT_EQ(states_.find(ProducerId(2)), nullptr);
  for (int id = 1; id <= 5; ++id)
    if (id != 2) append({.producer_id = id, .sequence = 2, .transactional = true});
  EXPECT_EQ(error({.producer_id = 6}), ErrorCode::kPolicyViolation);
  EXPECT_EQ(error({.producer_id = 5, .sequence = 3, .transactional = true}), ErrorCode::kNone);
  end_txn(3, 0, true);
  EXPECT_EQ(error({.producer_id = 6}), ErrorCode::kNone);
  append({.producer_id = 6});
  EXPECT_EQ(states_.find(ProducerId(3)), nullptr);
}

// Goal: what lies below the log start is stable, and recovery may overlap what is known. Method:
// move the start across an open transaction; apply a batch twice.
TEST_F(ProducerStatesTest, LogStartAndOverlap) {
  append({.transactional = true});
  append({.producer_id = 2});
  states_.on_log_start(Offset(2));
  EXPECT_EQ(states_.first_unstable_offset(), Offset(2));
  EXPECT_EQ(states_.last_stable_offset(Offset(2)), Offset(2));
  const base::Bytes again = batch_bytes({.producer_id = 2, .base_offset = 1});
  states_.apply(test::view(again), now_);
  EXPECT_EQ(states_.find(ProducerId(2))->batches().size(), 1u);
  states_.on_log_start(Offset(50));
  EXPECT_EQ(states_.end_offset(), Offset(50));
  states_.reset(Offset(20));
  EXPECT_EQ(states_.size(), 0u);
  EXPECT_EQ(states_.end_offset(), Offset(20));
  EXPECT_FALSE(states_.first_unstable_offset());
}

}  // namespace
}  // namespace broker
