#include <gtest/gtest.h>

#include <set>

#include "broker/group/record_codec.h"
#include "broker/group/test_bench.h"
#include "common/wire/writer.h"

namespace broker::group::testing {
namespace {

using Join = wire::JoinGroupResponse;

Config quick() {
  Config config;
  config.initial_rebalance_delay = 0ms;
  return config;
}

base::Bytes subscription(const std::string& topic) {
  wire::Writer out;
  out.write_number<std::int16_t>(3);
  out.write_array_count("topics", 1, false);
  out.write_string("topic", topic, false);
  out.write_number<std::int32_t>(-1);
  return out.take();
}

// A Stable group of one that subscribes to `topic`.
Join stable(Bench& bench, const std::string& topic = "t", const std::string& type = "consumer") {
  auto request = join("g");
  request.protocol_type = type;
  request.protocols[0].metadata = subscription(topic);
  const Token token = bench.send(request, 3);
  bench.pass(0ms);
  const Join joined = bench.answer<Join>(token);
  bench.send(sync(joined, "g"), 5);
  return joined;
}

ErrorCode commit(Bench& bench, const CommitOffsets& request, std::int16_t version = 8) {
  return bench.ask<OffsetsCommitted>(request, version).partitions.at(0).error;
}

FetchedOffset fetch(Bench& bench, const std::string& group, const TopicPartition& at = {"t", 0},
                    const base::Uuid& topic_id = {}) {
  FetchOffsets request{.group_id = group};
  request.partitions.push_back({.at = at, .topic_id = topic_id});
  return bench.ask<FetchedOffsets>(request, 8).partitions.at(0);
}

// Goal: a consumer without a group may commit while nobody else is in it, and reads back all it
// said; what was never committed is -1.
TEST(Offsets, SimpleConsumersStoreThem) {
  Bench bench;
  auto request = commit_one("g", 42);
  request.partitions[0].leader_epoch = 3;
  request.partitions[0].metadata = "note";
  EXPECT_EQ(commit(bench, request), ErrorCode::kNone);
  const auto fetched = fetch(bench, "g");
  EXPECT_EQ(fetched.offset, 42);
  EXPECT_EQ(fetched.leader_epoch, 3);
  EXPECT_EQ(fetched.metadata, "note");
  EXPECT_EQ(fetch(bench, "g", {"t", 1}).offset, -1);
  EXPECT_EQ(fetch(bench, "other").offset, -1);
  EXPECT_EQ(fetch(bench, "other").metadata, "");
  EXPECT_FALSE(bench.group("g")->protocol_type.has_value());
  bench.restart();
  EXPECT_EQ(fetch(bench, "g").offset, 42);
}

// Goal: all offsets of a group, in order, when none are named.
TEST(Offsets, FetchAllNamesEveryPartition) {
  Bench bench;
  auto request = commit_one("g", 1);
  request.partitions.push_back({.at = {"s", 7}, .offset = 2});
  request.partitions.push_back({.at = {"t", 9}, .offset = 3});
  commit(bench, request);
  const auto fetched = bench.ask<FetchedOffsets>(FetchOffsets{.group_id = "g", .all = true}, 8);
  ASSERT_EQ(fetched.partitions.size(), 3u);
  EXPECT_EQ(fetched.partitions[0].at, (TopicPartition{"s", 7}));
  EXPECT_EQ(fetched.partitions[2].offset, 3);
}

// Goal: members commit in their generation only; others not at all while there are members.
TEST(Offsets, MembersCommitInTheirGeneration) {
  Bench bench(quick());
  const Join joined = stable(bench);
  const auto& id = joined.member_id;
  EXPECT_EQ(commit(bench, commit_one("g", 1, 1, id)), ErrorCode::kNone);
  EXPECT_EQ(commit(bench, commit_one("g", 1, 0, id)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit(bench, commit_one("g", 1, -1, id)), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit(bench, commit_one("g", 1, 1, "nobody")), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit(bench, commit_one("g", 1)), ErrorCode::kUnknownMemberId);
  auto request = commit_one("g", 1, 1, id);
  request.instance_id = "i0";
  EXPECT_EQ(commit(bench, request), ErrorCode::kUnknownMemberId);
  // Preparing: the old generation may still commit. Completing: nobody may.
  const Token second = bench.send(join("g"), 3);
  EXPECT_EQ(commit(bench, commit_one("g", 2, 1, id)), ErrorCode::kNone);
  const auto again = bench.ask<Join>(join("g", id), 5);
  EXPECT_TRUE(bench.answered(second));
  EXPECT_EQ(commit(bench, commit_one("g", 3, 2, again.member_id)), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(fetch(bench, "g").offset, 2);
}

// Goal: a commit to a group that does not exist: by version.
TEST(Offsets, CommitInAGenerationNeedsTheGroup) {
  Bench bench;
  EXPECT_EQ(commit(bench, commit_one("g", 1, 1, "m"), 8), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit(bench, commit_one("g", 1, 1, "m"), 9), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(bench.group("g"), nullptr);
}

// Goal: a commit counts as a heartbeat.
TEST(Offsets, CommitKeepsTheSession) {
  Bench bench(quick());
  const Join joined = stable(bench);
  for (int i = 0; i < 5; ++i) {
    bench.pass(9s);
    EXPECT_EQ(commit(bench, commit_one("g", i, 1, joined.member_id)), ErrorCode::kNone);
  }
}

// Goal: metadata over the limit is refused for its partition only; the limit counts as Java does.
TEST(Offsets, MetadataHasALimit) {
  Bench bench;
  auto request = commit_one("g", 1);
  for (int i = 0; i < 4'096; ++i) request.partitions[0].metadata += "\u00e9";  // 2 bytes each
  request.partitions.push_back({.at = {"t", 1}, .offset = 2});
  request.partitions[1].metadata.assign(4'097, 'x');
  const auto response = bench.ask<OffsetsCommitted>(request, 8);
  EXPECT_EQ(response.partitions[0].error, ErrorCode::kNone);
  EXPECT_EQ(response.partitions[1].error, ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(fetch(bench, "g", {"t", 1}).offset, -1);
}

// Goal: a commit that no batch can hold is refused as a whole.
TEST(Offsets, CommitMustFitOneBatch) {
  Config config;
  config.batch_bytes_max = 1'000;
  Bench bench(config);
  auto request = commit_one("g", 1);
  for (int i = 1; i < 30; ++i) request.partitions.push_back({.at = {"t", i}, .offset = i});
  EXPECT_EQ(commit(bench, request), ErrorCode::kInvalidCommitOffsetSize);
  EXPECT_EQ(bench.group("g"), nullptr);
}

// Goal: an offset of a deleted topic means nothing for its successor of the same name.
TEST(Offsets, TopicIdsTellSuccessorsApart) {
  Bench bench;
  auto request = commit_one("g", 5);
  request.partitions[0].topic_id = {1, 1};
  commit(bench, request);
  EXPECT_EQ(fetch(bench, "g", {"t", 0}, {1, 1}).offset, 5);
  EXPECT_EQ(fetch(bench, "g", {"t", 0}, {2, 2}).offset, -1);
  EXPECT_EQ(fetch(bench, "g", {"t", 0}).offset, 5);
  Output out;
  bench.shard->on_topic_deleted("t", {2, 2}, bench.wall(), out);
  EXPECT_TRUE(out.append.empty());
  bench.shard->on_topic_deleted("t", {1, 1}, bench.wall(), out);
  bench.take(std::move(out));
  EXPECT_EQ(fetch(bench, "g").offset, -1);
  bench.restart();
  EXPECT_EQ(fetch(bench, "g").offset, -1);
}

// Goal: OffsetDelete removes what the group does not read; every refusal.
TEST(Offsets, DeleteSparesSubscribedTopics) {
  Bench bench(quick());
  auto remove = [&](const std::string& group, const TopicPartition& at) {
    DeleteOffsets request{.group_id = group, .partitions = {at}};
    return bench.ask<OffsetsDeleted>(request, 0);
  };
  EXPECT_EQ(remove("", {"t", 0}).error, ErrorCode::kInvalidGroupId);
  EXPECT_EQ(remove("g", {"t", 0}).error, ErrorCode::kGroupIdNotFound);
  const Join joined = stable(bench, "t");
  auto request = commit_one("g", 1, 1, joined.member_id);
  request.partitions.push_back({.at = {"old", 0}, .offset = 2});
  commit(bench, request);
  EXPECT_EQ(remove("g", {"t", 0}).partitions.at(0).error, ErrorCode::kGroupSubscribedToTopic);
  EXPECT_EQ(remove("g", {"old", 0}).partitions.at(0).error, ErrorCode::kNone);
  EXPECT_EQ(fetch(bench, "g").offset, 1);
  EXPECT_EQ(fetch(bench, "g", {"old", 0}).offset, -1);
  bench.restart();
  EXPECT_EQ(fetch(bench, "g", {"old", 0}).offset, -1);

  Bench connect(quick());
  stable(connect, "t", "connect");
  DeleteOffsets any{.group_id = "g", .partitions = {{"t", 0}}};
  EXPECT_EQ(connect.ask<OffsetsDeleted>(any, 0).error, ErrorCode::kNonEmptyGroup);
}

// Goal: simple consumers' offsets live for the retention since their commit, then the group goes.
TEST(Expiry, SimpleOffsetsCountFromTheirCommit) {
  Bench bench;
  commit(bench, commit_one("g", 1));
  bench.pass(std::chrono::hours(24 * 7) - 11min);
  EXPECT_EQ(fetch(bench, "g").offset, 1);
  bench.pass(30min);
  EXPECT_EQ(bench.group("g"), nullptr);
  EXPECT_EQ(bench.shard->stats().offsets_expired, 1u);
  bench.restart();
  EXPECT_EQ(bench.group("g"), nullptr);
}

// Goal: a group's offsets do not expire while it reads their topic; those of other topics do, and
// all do a retention after the last member left.
TEST(Expiry, GroupOffsetsCountFromTheLastMember) {
  Config config = quick();
  config.offsets_retention = 1h;
  Bench bench(config);
  Join joined = stable(bench, "t");
  auto request = commit_one("g", 1, 1, joined.member_id);
  request.partitions.push_back({.at = {"old", 0}, .offset = 2});
  commit(bench, request);
  for (int i = 0; i < 3 * 3600 / 5; ++i) {
    bench.pass(5s);
    bench.send(heartbeat(joined, "g"), 4);
  }
  EXPECT_EQ(fetch(bench, "g").offset, 1);
  EXPECT_EQ(fetch(bench, "g", {"old", 0}).offset, -1);
  bench.pass(50min);
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
  EXPECT_EQ(fetch(bench, "g").offset, 1);
  bench.pass(30min);
  EXPECT_EQ(bench.group("g"), nullptr);
}

// Goal: a group that is not a consumer group keeps its offsets while it has members.
TEST(Expiry, OpaqueGroupsKeepTheirOffsets) {
  Config config = quick();
  config.offsets_retention = 1h;
  Bench bench(config);
  const Join joined = stable(bench, "t", "connect");
  commit(bench, commit_one("g", 1, 1, joined.member_id));
  for (int i = 0; i < 3 * 3600 / 5; ++i) {
    bench.pass(5s);
    bench.send(heartbeat(joined, "g"), 4);
  }
  EXPECT_EQ(fetch(bench, "g").offset, 1);
}

// Goal: a retention in the request (v2-4) overrides the broker's, also after a restart.
TEST(Expiry, RequestsMayBringTheirRetention) {
  Bench bench;
  auto request = commit_one("g", 1);
  request.retention = 1h;
  commit(bench, request, 4);
  bench.restart();
  bench.pass(50min);
  EXPECT_EQ(fetch(bench, "g").offset, 1);
  bench.pass(20min);
  EXPECT_EQ(fetch(bench, "g").offset, -1);
}

// Goal: an Empty group without offsets is forgotten with a tombstone.
TEST(Expiry, EmptyGroupsGo) {
  Bench bench(quick());
  stable(bench);
  bench.pass(10s);
  EXPECT_EQ(bench.group("g")->state, GroupState::kEmpty);
  bench.pass(11min);
  EXPECT_EQ(bench.group("g"), nullptr);
  bench.restart();
  EXPECT_EQ(bench.group("g"), nullptr);
}

// Goal: the deletion of many offsets is cut into appends of bounded size.
TEST(Expiry, ManyTombstonesAreCut) {
  Config config;
  config.batch_bytes_max = 2'000;
  Bench bench(config);
  for (int i = 0; i < 200; ++i) {
    auto request = commit_one("g", i);
    request.partitions[0].at.partition = i;
    EXPECT_EQ(commit(bench, request), ErrorCode::kNone);
  }
  bench.auto_commit = false;
  const Token token = bench.send(DeleteGroup{"g"}, 2);
  EXPECT_GT(bench.uncommitted(), 2u);
  EXPECT_FALSE(bench.answered(token));
  bench.commit();
  EXPECT_EQ(bench.answer<GroupDeleted>(token).error, ErrorCode::kNone);
  bench.restart();
  EXPECT_TRUE(bench.shard->groups().empty());
}

}  // namespace
}  // namespace broker::group::testing
