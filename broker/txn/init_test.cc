// InitProducerId: owners, fences, retries, epochs that run out.
#include <gtest/gtest.h>

#include "broker/txn/test_bench.h"

namespace broker::txn::testing {
namespace {

// Goal: every new owner of an id gets the same producer id and a higher epoch; the one before is
// fenced in everything it does.
TEST(Init, NewOwnerFencesTheOneBefore) {
  Bench bench;
  const auto first = bench.init("x");
  EXPECT_EQ(first.producer, producer(1000, 0));
  const auto second = bench.init("x");
  EXPECT_EQ(second.producer, producer(1000, 1));
  EXPECT_EQ(bench.add("x", first.producer), ErrorCode::kProducerFenced);
  EXPECT_EQ(bench.end("x", first.producer, true).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(bench.init("x", first.producer).error, ErrorCode::kProducerFenced);
  EXPECT_EQ(bench.add("x", second.producer), ErrorCode::kNone);
}

// Goal: what cannot be asked is refused as Kafka refuses it. Method: a table.
TEST(Init, RefusesWhatMakesNoSense) {
  Bench bench;
  EXPECT_EQ(bench.init("").error, ErrorCode::kInvalidRequest);
  EXPECT_EQ(bench.init("x", {}, 0).error, ErrorCode::kInvalidTransactionTimeout);
  EXPECT_EQ(bench.init("x", {}, 900'001).error, ErrorCode::kInvalidTransactionTimeout);
  EXPECT_EQ(bench.find("x"), nullptr);
  ASSERT_EQ(bench.init("x", {}, 900'000).error, ErrorCode::kNone);
  EXPECT_EQ(bench.init("x", producer(7, 0)).error, ErrorCode::kProducerFenced);
}

// Goal: an owner that goes on after an error gets the next epoch, once, however often it asks
// (KIP-360).
TEST(Init, GoesOnWithTheNextEpochOnce) {
  Bench bench;
  const auto first = bench.init("x").producer;
  EXPECT_EQ(bench.init("x", first).producer, producer(1000, 1));
  EXPECT_EQ(bench.init("x", first).producer, producer(1000, 1));
  EXPECT_EQ(bench.init("x", producer(1000, 1)).producer, producer(1000, 2));
  EXPECT_EQ(bench.init("x", first).error, ErrorCode::kProducerFenced);
}

// Goal: a new owner finds an open transaction: it is aborted under a higher epoch, the new owner
// has to ask again until that is over.
TEST(Init, EndsWhatWasLeftOpen) {
  Bench bench;
  const auto first = bench.init("x").producer;
  ASSERT_EQ(bench.add("x", first), ErrorCode::kNone);
  EXPECT_EQ(bench.init("x").error, ErrorCode::kConcurrentTransactions);
  ASSERT_EQ(bench.orders.size(), 1u);
  EXPECT_FALSE(bench.orders[0].commit);
  EXPECT_EQ(bench.orders[0].producer, producer(1000, 1));
  EXPECT_EQ(bench.init("x").error, ErrorCode::kConcurrentTransactions);
  EXPECT_EQ(bench.end("x", first, true).error, ErrorCode::kProducerFenced);
  bench.write_markers();
  EXPECT_EQ(bench.init("x").producer, producer(1000, 2));
}

// Goal: a zombie that asks to go on does not end the transaction of who came after it.
TEST(Init, ZombieEndsNobodysTransaction) {
  Bench bench;
  const auto zombie = bench.init("x").producer;
  const auto owner = bench.init("x").producer;
  ASSERT_EQ(bench.add("x", owner), ErrorCode::kNone);
  EXPECT_EQ(bench.init("x", zombie).error, ErrorCode::kProducerFenced);
  EXPECT_TRUE(bench.find("x")->is(State::kOngoing));
}

// Goal: after the last epoch comes another producer id; the answer can be asked for again.
TEST(Init, ChangesTheIdWhenEpochsRunOut) {
  Bench bench;
  bench.init("x");
  bench.load_epoch("x", 32'765);
  EXPECT_EQ(bench.init("x").producer, producer(1000, 32'766));
  const auto next = bench.init("x", producer(1000, 32'766));
  EXPECT_EQ(next.producer, producer(1001, 0));
  EXPECT_EQ(bench.init("x", producer(1000, 32'766)).producer, producer(1001, 0));
  EXPECT_EQ(bench.add("x", producer(1000, 32'766)), ErrorCode::kInvalidProducerIdMapping);
}

// Goal: who fenced at the last epoch still can be fenced: its marker has the one epoch beyond.
TEST(Init, FencesAtTheLastEpoch) {
  Bench bench;
  bench.init("x");
  bench.load_epoch("x", 32'766);
  ASSERT_EQ(bench.add("x", producer(1000, 32'766)), ErrorCode::kNone);
  EXPECT_EQ(bench.init("x").error, ErrorCode::kConcurrentTransactions);
  EXPECT_EQ(bench.orders.at(0).producer, producer(1000, 32'767));
  bench.write_markers();
  EXPECT_EQ(bench.init("x").producer, producer(1001, 0));
}

// Goal: requests wait for a producer id without holding up others, and hear when none comes.
TEST(Init, WaitsForAnId) {
  Bench bench;
  bench.init("y");
  bench.auto_id = false;
  const Token one = bench.send(InitProducer{.id = "x", .timeout_ms = 1});
  const Token two = bench.send(InitProducer{.id = "x", .timeout_ms = 1});
  EXPECT_EQ(bench.init("y").error, ErrorCode::kNone);
  EXPECT_FALSE(bench.answered(one));
  bench.give_id(base::ProducerId(5));
  EXPECT_EQ(bench.answer<ProducerAnswer>(one).producer, producer(5, 0));
  EXPECT_EQ(bench.answer<ProducerAnswer>(two).producer, producer(5, 1));
  const Token three = bench.send(InitProducer{.id = "z", .timeout_ms = 1});
  bench.give_id(ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(bench.answer<ProducerAnswer>(three).error, ErrorCode::kCoordinatorLoadInProgress);
}

}  // namespace
}  // namespace broker::txn::testing
