// AddPartitionsToTxn, its verification, and EndTxn in both versions of the protocol.
#include <gtest/gtest.h>

#include <tuple>

#include "broker/txn/test_bench.h"

namespace broker::txn::testing {
namespace {

// Goal: a transaction of version 1 from begin to end: markers for what was added, the epoch stays.
TEST(End, CommitsInVersionOne) {
  Bench bench;
  const auto owner = bench.init("x").producer;
  EXPECT_EQ(bench.verify("x", owner), ErrorCode::kTransactionAbortable);
  ASSERT_EQ(bench.add("x", owner, 0), ErrorCode::kNone);
  ASSERT_EQ(bench.add("x", owner, 1), ErrorCode::kNone);
  ASSERT_EQ(bench.add("x", owner, 1), ErrorCode::kNone);
  EXPECT_EQ(bench.verify("x", owner, 1), ErrorCode::kNone);
  EXPECT_EQ(bench.verify("x", owner, 2), ErrorCode::kTransactionAbortable);
  EXPECT_EQ(bench.end("x", owner, true).error, ErrorCode::kNone);
  ASSERT_EQ(bench.orders.size(), 1u);
  EXPECT_TRUE(bench.orders[0].commit);
  EXPECT_EQ(bench.orders[0].producer, owner);
  EXPECT_EQ(bench.orders[0].partitions.size(), 2u);
  EXPECT_EQ(bench.end("x", owner, true).error, ErrorCode::kConcurrentTransactions);
  EXPECT_EQ(bench.end("x", owner, false).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(bench.add("x", owner), ErrorCode::kConcurrentTransactions);
  EXPECT_EQ(bench.verify("x", owner), ErrorCode::kConcurrentTransactions);
  bench.write_markers();
  EXPECT_EQ(bench.end("x", owner, true).error, ErrorCode::kNone);
  EXPECT_EQ(bench.end("x", owner, false).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(bench.verify("x", owner, 1), ErrorCode::kTransactionAbortable);
  EXPECT_TRUE(bench.find("x")->is(State::kCompleteCommit));
}

// Goal: in version 2 every transaction has an epoch of its own; a late EndTxn can only hit its own
// transaction (Jepsen: torn transactions).
TEST(End, EveryTransactionHasItsEpochInVersionTwo) {
  Bench bench;
  const auto first = bench.init("x").producer;
  ASSERT_EQ(bench.add("x", first, 0, 2), ErrorCode::kNone);
  const auto ended = bench.end("x", first, true, 2);
  EXPECT_EQ(ended.producer, producer(1000, 1));
  EXPECT_EQ(bench.orders.at(0).producer, producer(1000, 1));
  EXPECT_EQ(bench.orders.at(0).transaction_version, 2);
  EXPECT_EQ(bench.end("x", first, true, 2).error, ErrorCode::kConcurrentTransactions);
  bench.write_markers();
  // Sent again: the same answer, and nothing happens.
  EXPECT_EQ(bench.end("x", first, true, 2).producer, producer(1000, 1));
  EXPECT_EQ(bench.end("x", first, false, 2).error, ErrorCode::kInvalidTxnState);
  ASSERT_EQ(bench.add("x", ended.producer, 0, 2), ErrorCode::kNone);
  // The next transaction is open: the late word about the first does not end it.
  EXPECT_EQ(bench.end("x", first, true, 2).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(bench.end("x", first, false, 2).error, ErrorCode::kProducerFenced);
  EXPECT_TRUE(bench.find("x")->is(State::kOngoing));
}

// Goal: version 2 lets a producer abort what the coordinator has not heard of: the epoch rises, so
// that writes that are still on their way come too late.
TEST(End, AbortOfNothingRaisesTheEpochInVersionTwo) {
  Bench bench;
  const auto owner = bench.init("x").producer;
  EXPECT_EQ(bench.end("x", owner, true, 2).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(bench.end("x", owner, false, 2).producer, producer(1000, 1));
  EXPECT_TRUE(bench.orders.at(0).partitions.empty());
  bench.write_markers();
  EXPECT_TRUE(bench.find("x")->is(State::kCompleteAbort));
  EXPECT_EQ(bench.end("x", producer(1000, 1), false, 2).producer, producer(1000, 2));
  bench.write_markers();
  EXPECT_EQ(bench.end("x", producer(1000, 2), true, 2).error, ErrorCode::kInvalidTxnState);
  EXPECT_EQ(bench.end("x", producer(1000, 2), false).error, ErrorCode::kNone);
}

// Goal: when epochs run out the answer names another producer id, which takes over when the
// markers are written, and a retry with the old one gets the same answer.
TEST(End, GivesAnotherIdWhenEpochsRunOut) {
  Bench bench;
  bench.init("x");
  bench.load_epoch("x", 32'766);
  const auto last = producer(1000, 32'766);
  ASSERT_EQ(bench.add("x", last, 0, 2), ErrorCode::kNone);
  EXPECT_EQ(bench.end("x", last, true, 2).producer, producer(1001, 0));
  EXPECT_EQ(bench.orders.at(0).producer, producer(1000, 32'767));
  EXPECT_EQ(bench.add("x", producer(1001, 0), 0, 2), ErrorCode::kConcurrentTransactions);
  bench.restart();
  bench.write_markers();
  EXPECT_EQ(bench.end("x", last, true, 2).producer, producer(1001, 0));
  EXPECT_EQ(bench.add("x", producer(1001, 0), 0, 2), ErrorCode::kNone);
  EXPECT_EQ(bench.end("x", last, true, 2).error, ErrorCode::kInvalidProducerIdMapping);
}

// Goal: errors of who is not the owner. Method: a table over states and producers.
TEST(End, RefusesStrangers) {
  Bench bench;
  EXPECT_EQ(bench.add("none", producer(1, 0)), ErrorCode::kInvalidProducerIdMapping);
  EXPECT_EQ(bench.end("none", producer(1, 0), true).error, ErrorCode::kInvalidProducerIdMapping);
  EXPECT_EQ(bench.add("", producer(1, 0)), ErrorCode::kInvalidRequest);
  EXPECT_EQ(bench.end("", producer(1, 0), true).error, ErrorCode::kInvalidRequest);
  const auto owner = bench.init("x").producer;
  for (const bool is_open : {false, true}) {
    if (is_open) ASSERT_EQ(bench.add("x", owner), ErrorCode::kNone);
    for (const std::int16_t version : {std::int16_t{0}, std::int16_t{2}}) {
      EXPECT_EQ(bench.end("x", producer(1, 0), true, version).error,
                ErrorCode::kInvalidProducerIdMapping);
      EXPECT_EQ(bench.end("x", producer(1000, 1), true, version).error, ErrorCode::kProducerFenced);
    }
    EXPECT_EQ(bench.add("x", producer(1, 0)), ErrorCode::kInvalidProducerIdMapping);
    EXPECT_EQ(bench.add("x", producer(1000, 1)), ErrorCode::kProducerFenced);
    EXPECT_EQ(bench.verify("x", producer(1000, 1)), ErrorCode::kProducerFenced);
  }
  Bench idle;
  EXPECT_EQ(idle.end("x", idle.init("x").producer, true).error, ErrorCode::kInvalidTxnState);
}

// Goal: nothing is said, and no marker is written, of what a crash could take back; a late report
// of an order that is over changes nothing.
TEST(End, WaitsForTheLog) {
  Bench bench;
  const auto owner = bench.init("x").producer;
  bench.auto_commit = false;
  const Token added = bench.send(AddPartitions{"x", owner, {{"t", 0}}});
  const Token ended = bench.send(EndTransaction{"x", owner, true});
  EXPECT_FALSE(bench.answered(added) || bench.answered(ended));
  EXPECT_TRUE(bench.orders.empty());
  bench.commit();
  EXPECT_TRUE(bench.answered(added) && bench.answered(ended));
  const auto orders = bench.orders;
  ASSERT_EQ(orders.size(), 1u);
  bench.write_markers();
  Output out;
  bench.shard->on_markers_written(orders[0].number, "x", bench.wall(), out);
  EXPECT_TRUE(out.append.empty());
}

// Goal: who waits for a log that fails hears an error that makes it look for the coordinator.
TEST(End, FailsEverybodyWhoWaits) {
  Bench bench;
  bench.auto_commit = false;
  const Token slow = bench.send(InitProducer{.id = "x", .timeout_ms = 1});
  Output out;
  bench.shard->give_up_waiting(AppendNumber(1), out);
  bench.take(std::move(out));
  EXPECT_EQ(bench.answer<ProducerAnswer>(slow).error, ErrorCode::kCoordinatorNotAvailable);
  const Token lost = bench.send(InitProducer{.id = "x", .timeout_ms = 1});
  out = {};
  bench.shard->fail(ErrorCode::kNotLeaderOrFollower, out);
  bench.take(std::move(out));
  EXPECT_EQ(bench.answer<ProducerAnswer>(lost).error, ErrorCode::kNotCoordinator);
}

}  // namespace
}  // namespace broker::txn::testing
