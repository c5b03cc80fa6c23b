// Timeouts, expiry, and what tools are shown.
#include <gtest/gtest.h>

#include "broker/txn/test_bench.h"

namespace broker::txn::testing {
namespace {

// Goal: a transaction that is open too long is aborted under a higher epoch: its producer's later
// writes and its EndTxn come too late, in both versions.
TEST(Timers, AbortWhatIsOpenTooLong) {
  for (const std::int16_t version : {std::int16_t{0}, std::int16_t{2}}) {
    Bench bench;
    const auto owner = bench.init("x", {}, 60'000).producer;
    ASSERT_EQ(bench.add("x", owner, 0, version), ErrorCode::kNone);
    bench.pass(60s);
    EXPECT_TRUE(bench.orders.empty());
    bench.pass(10s);
    ASSERT_EQ(bench.orders.size(), 1u);
    EXPECT_FALSE(bench.orders[0].commit);
    EXPECT_EQ(bench.orders[0].producer, producer(1000, 1));
    bench.write_markers();
    EXPECT_EQ(bench.end("x", owner, true, 0).error, ErrorCode::kProducerFenced);
    EXPECT_EQ(bench.add("x", owner, 0, version), ErrorCode::kProducerFenced);
    EXPECT_EQ(bench.shard->stats().timed_out, 1u);
  }
}

// Goal: the time runs on while no coordinator is there.
TEST(Timers, CountFromTheTransactionsStart) {
  Bench bench;
  const auto owner = bench.init("x", {}, 60'000).producer;
  ASSERT_EQ(bench.add("x", owner), ErrorCode::kNone);
  bench.now += 61s;
  bench.restart();
  EXPECT_EQ(bench.orders.size(), 1u);
}

// Goal: ids nobody uses go, those with an open transaction do not.
TEST(Timers, ForgetIdleIds) {
  Bench bench;
  bench.init("idle");
  const auto owner = bench.init("done").producer;
  ASSERT_EQ(bench.add("done", owner), ErrorCode::kNone);
  ASSERT_EQ(bench.end("done", owner, true).error, ErrorCode::kNone);  // markers never written
  bench.pass(24h * 7 - 2h);
  EXPECT_NE(bench.find("idle"), nullptr);
  bench.pass(4h);
  EXPECT_EQ(bench.find("idle"), nullptr);
  EXPECT_NE(bench.find("done"), nullptr);
  bench.restart();
  EXPECT_EQ(bench.find("idle"), nullptr);
  EXPECT_EQ(bench.init("idle").producer.epoch, base::ProducerEpoch(0));
}

// Goal: list and describe show what is there, by every filter.
TEST(Timers, ShowTransactions) {
  Bench bench;
  const auto owner = bench.init("open").producer;
  bench.init("empty");
  ASSERT_EQ(bench.add("open", owner, 3), ErrorCode::kNone);
  bench.pass(5s);
  auto list = [&](ListTransactions request) {
    std::string ids;
    for (const auto& each : bench.answer<ListAnswer>(bench.send(std::move(request))).transactions) {
      ids += each.id + ":" + std::string(name(each.state)) + " ";
    }
    return ids;
  };
  EXPECT_EQ(list({}), "empty:Empty open:Ongoing ");
  EXPECT_EQ(list({.states = {State::kOngoing}, .any_state = false}), "open:Ongoing ");
  EXPECT_EQ(list({.states = {}, .any_state = false}), "");
  EXPECT_EQ(list({.producer_ids = {base::ProducerId(1001)}}), "empty:Empty ");
  ListTransactions old;
  old.states = {State::kOngoing};
  old.any_state = false;
  old.longer_than_ms = 4'000;
  EXPECT_EQ(list(old), "open:Ongoing ");
  old.longer_than_ms = 6'000;
  EXPECT_EQ(list(old), "");
  const auto described =
      bench.answer<DescribeAnswer>(bench.send(DescribeTransaction{"open"})).transaction;
  EXPECT_EQ(described.partitions, (std::set<TopicPartition>{{"t", 3}}));
  EXPECT_EQ(bench.answer<DescribeAnswer>(bench.send(DescribeTransaction{"none"})).error,
            ErrorCode::kTransactionalIdNotFound);
}

}  // namespace
}  // namespace broker::txn::testing
