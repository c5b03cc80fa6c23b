// Offsets committed within transactions.
#include <gtest/gtest.h>

#include "broker/group/test_bench.h"

namespace broker::group::testing {
namespace {

const Producer kProducer{base::ProducerId(7), base::ProducerEpoch(0)};

CommitOffsets in_transaction(std::int64_t offset, Producer producer = kProducer) {
  CommitOffsets request = commit_one("g", offset);
  request.producer = producer;
  return request;
}

ErrorCode commit(Bench& bench, const CommitOffsets& request) {
  return bench.ask<OffsetsCommitted>(request, 3).partitions.at(0).error;
}

void end(Bench& bench, bool committed, Producer producer = kProducer) {
  EXPECT_EQ(bench.ask<TransactionEnded>(EndTransaction{producer, {.commit = committed}}, 0).error,
            ErrorCode::kNone);
}

FetchedOffset fetch(Bench& bench, bool stable = false) {
  FetchOffsets read{.group_id = "g", .require_stable = stable};
  read.partitions.push_back({.at = {"t", 0}});
  return bench.ask<FetchedOffsets>(read, 8).partitions.at(0);
}

// Goal: an offset counts when its transaction is committed, not before, and not at all when it is
// aborted; who wants stable offsets is told to wait (KIP-447).
TEST(TxnOffsets, CountWithTheirTransaction) {
  Bench bench;
  ASSERT_EQ(commit(bench, commit_one("g", 3)), ErrorCode::kNone);
  ASSERT_EQ(commit(bench, in_transaction(7)), ErrorCode::kNone);
  EXPECT_EQ(fetch(bench).offset, 3);
  EXPECT_EQ(fetch(bench, true).error, ErrorCode::kUnstableOffsetCommit);
  EXPECT_EQ(fetch(bench, true).offset, -1);
  end(bench, false);
  EXPECT_EQ(fetch(bench, true).offset, 3);
  ASSERT_EQ(commit(bench, in_transaction(8)), ErrorCode::kNone);
  ASSERT_EQ(commit(bench, in_transaction(9)), ErrorCode::kNone);
  end(bench, true);
  EXPECT_EQ(fetch(bench, true).offset, 9);
  end(bench, true);  // sent again
  EXPECT_EQ(fetch(bench, true).offset, 9);
}

// Goal: two producers do not disturb each other, and what was committed later than a transaction's
// offset is not undone by its end.
TEST(TxnOffsets, KeepTheirOrder) {
  Bench bench;
  const Producer other{base::ProducerId(8), base::ProducerEpoch(0)};
  ASSERT_EQ(commit(bench, in_transaction(1)), ErrorCode::kNone);
  ASSERT_EQ(commit(bench, in_transaction(2, other)), ErrorCode::kNone);
  ASSERT_EQ(commit(bench, commit_one("g", 5)), ErrorCode::kNone);
  end(bench, true);
  EXPECT_EQ(fetch(bench).offset, 5);
  EXPECT_EQ(fetch(bench, true).error, ErrorCode::kUnstableOffsetCommit);
  end(bench, false, other);
  EXPECT_EQ(fetch(bench, true).offset, 5);
}

// Goal: zombies of a group do not commit in a transaction either; old producers that do not name
// a member may.
TEST(TxnOffsets, AreCheckedLikeOthers) {
  Config config;
  config.initial_rebalance_delay = 0ms;
  Bench bench(config);
  const auto asked = bench.ask<wire::JoinGroupResponse>(join("g"), 5);
  const Token token = bench.send(join("g", asked.member_id), 5);
  bench.pass(1s);
  ASSERT_TRUE(bench.answered(token));
  const auto joined = bench.answer<wire::JoinGroupResponse>(token);
  ASSERT_EQ(joined.error_code, ErrorCode::kNone);
  CommitOffsets request = in_transaction(1);
  request.member_id = joined.member_id;
  request.generation = joined.generation_id;
  EXPECT_EQ(commit(bench, request), ErrorCode::kNone);
  request.generation = joined.generation_id + 1;
  EXPECT_EQ(commit(bench, request), ErrorCode::kIllegalGeneration);
  request.member_id = "nobody";
  EXPECT_EQ(commit(bench, request), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(bench, in_transaction(1)), ErrorCode::kNone);
}

// Goal: a group with offsets under way is kept; a deleted one takes them with it.
TEST(TxnOffsets, KeepTheirGroup) {
  Bench bench;
  ASSERT_EQ(commit(bench, in_transaction(1)), ErrorCode::kNone);
  bench.pass(24h * 30);
  ASSERT_NE(bench.group("g"), nullptr);
  ASSERT_EQ(bench.ask<GroupDeleted>(DeleteGroup{"g"}, 2).error, ErrorCode::kNone);
  end(bench, true);
  EXPECT_EQ(fetch(bench).offset, -1);
}

}  // namespace
}  // namespace broker::group::testing
