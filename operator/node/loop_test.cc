#include "operator/node/loop.h"

#include <gtest/gtest.h>

#include "operator/node/test_operator.h"

namespace kube {
namespace {

class LoopTest : public testing::Test, protected Scene {};

// Goal: from a Cluster and a Topic to both Ready, and then nothing is written any more.
TEST_F(LoopTest, BringsUpAndIsQuiet) {
  apply_cluster();
  apply_topic("orders", {{"partitions", 4}});
  start();
  ASSERT_TRUE(until([&] { return ready() && is(kTopics, "orders", "Ready"); })) << why();
  EXPECT_EQ(pods(), 6u);
  EXPECT_EQ(server.all(kVolumeClaims).size(), 6u);
  EXPECT_EQ(nodes.cluster("n", "demo").topics.at("orders").partitions.size(), 4u);
  expect_quiet();
  EXPECT_GT(instances[0]->loop->stats(Key::Sort::kCluster).steady.value(), 0u);
}

// Goal: a roll takes away one broker at a time, whatever it is for.
TEST_F(LoopTest, RollsOneBrokerAtATime) {
  apply_cluster();
  start();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  nodes.worst_away = 0;
  apply_cluster("demo", {{"image", "localhost/moldau:next"}});
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  for (const Json& each : server.all(kPods)) {
    EXPECT_EQ(text_at(list_at(each, {"spec", "containers"})[0], {"image"}),
              "localhost/moldau:next");
  }
  EXPECT_EQ(nodes.worst_away, 1u);
  expect_quiet();
}

// Goal: scaling down drains before it removes, and leaves the volume.
TEST_F(LoopTest, ScalesDownByDraining) {
  apply_cluster("demo", {{"brokers", {{"replicas", 4}}}});
  for (int i = 0; i < 4; ++i) apply_topic("t" + std::to_string(i), {{"partitions", 3}});
  start();
  ASSERT_TRUE(until([&] { return ready() && is(kTopics, "t3", "Ready"); })) << why();
  auto& cluster = nodes.cluster("n", "demo");
  for (auto& [name, topic] : cluster.topics) {
    for (auto& replicas : topic.partitions) replicas = {4, 1, 2};
  }
  apply_cluster("demo", {{"brokers", {{"replicas", 3}}}});
  ASSERT_TRUE(until([&] { return ready() && pods() == 6; })) << why();
  EXPECT_FALSE(cluster.brokers.contains(4));
  for (const auto& [name, topic] : cluster.topics) {
    for (const auto& replicas : topic.partitions) {
      EXPECT_FALSE(std::ranges::count(replicas, 4) > 0);
    }
  }
  EXPECT_EQ(server.all(kVolumeClaims).size(), 7u);
  expect_quiet();
}

// Goal: many Topics are made with few calls of the controllers.
TEST_F(LoopTest, MakesManyTopicsTogether) {
  apply_cluster();
  start();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  const std::uint64_t calls = nodes.cluster("n", "demo").calls;
  for (int i = 0; i < 500; ++i) apply_topic("t" + std::to_string(i));
  const auto all_ready = [&] {
    for (int i = 0; i < 500; ++i) {
      if (!is(kTopics, "t" + std::to_string(i), "Ready")) return false;
    }
    return true;
  };
  ASSERT_TRUE(until(all_ready, seconds(20)));
  EXPECT_EQ(nodes.cluster("n", "demo").topics.size(), 500u);
  EXPECT_LT(nodes.cluster("n", "demo").calls - calls, 300u);
  expect_quiet();
}

// Goal: the API server away for minutes: nothing breaks, and what changed meanwhile is done after.
TEST_F(LoopTest, OutlivesApiServer) {
  apply_cluster();
  Instance& mine = start();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  mine.api.cut(true);
  apply_topic("late");
  server.compact();
  world.run_for(minutes(5));
  EXPECT_FALSE(is(kTopics, "late", "Ready"));
  EXPECT_EQ(pods(), 6u);
  EXPECT_NE(mine.loop->trouble(), "");
  mine.api.cut(false);
  ASSERT_TRUE(until([&] { return is(kTopics, "late", "Ready"); }, minutes(2))) << why();
  EXPECT_TRUE(until([&] { return mine.loop->trouble().empty(); }, seconds(30)));
  expect_quiet();
}

// Goal: what was deleted behind a compacted history is noticed by the new list.
TEST_F(LoopTest, NoticesDeletionsBehindCompaction) {
  apply_cluster();
  Instance& mine = start();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  mine.api.cut(true);
  world.run_for(seconds(1));
  server.remove(kPods, "n", "demo-broker-1");
  server.remove(kConfigMaps, "n", "demo-broker-1-config");
  server.compact();
  mine.api.cut(false);
  ASSERT_TRUE(until([&] { return server.find(kPods, "n", "demo-broker-1") != nullptr; })) << why();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  EXPECT_NE(server.find(kConfigMaps, "n", "demo-broker-1-config"), nullptr);
}

// Goal: refusals and conflicts of the API server are outlived. Method: every third write is
// refused.
TEST_F(LoopTest, OutlivesRefusals) {
  int round = 0;
  server.refuse = [&](const ApiCall&) -> std::optional<ApiError> {
    ++round;
    if (round % 3 == 0) return ApiError{409, "Conflict", "the object has been modified"};
    if (round % 7 == 0) return ApiError{500, "InternalError", "etcdserver: request timed out"};
    return std::nullopt;
  };
  apply_cluster();
  apply_topic("orders");
  start();
  ASSERT_TRUE(until([&] { return ready() && is(kTopics, "orders", "Ready"); }, minutes(10)))
      << why();
  EXPECT_EQ(pods(), 6u);
}

// Goal: a write that is refused for good does not make a busy loop.
TEST_F(LoopTest, WhatIsRefusedForGoodIsTriedRarely) {
  server.refuse = [](const ApiCall& call) -> std::optional<ApiError> {
    if (call.kind != &kPods) return std::nullopt;
    return ApiError{403, "Forbidden", "violates PodSecurity"};
  };
  apply_cluster();
  Instance& mine = start();
  world.run_for(minutes(2));
  EXPECT_GT(mine.loop->stats(Key::Sort::kCluster).failures.value(), 0u);
  const std::uint64_t writes = server.writes;
  world.run_for(minutes(5));
  EXPECT_LT(server.writes - writes, 100u);
  EXPECT_EQ(pods(), 0u);
}

// Goal: who does not lead writes nothing, whatever it sees.
TEST_F(LoopTest, WritesNothingWithoutLeading) {
  apply_cluster();
  start().leads = false;
  world.run_for(minutes(2));
  EXPECT_EQ(server.writes, 0u);
}

// Goal: two that both believe to lead do no harm: it is done once, one broker at a time.
TEST_F(LoopTest, TwoAtOnceDoNoHarm) {
  apply_cluster();
  apply_topic("orders");
  start();
  start();
  ASSERT_TRUE(until([&] { return ready() && is(kTopics, "orders", "Ready"); })) << why();
  EXPECT_EQ(pods(), 6u);
  nodes.worst_away = 0;
  apply_cluster("demo", {{"image", "localhost/moldau:next"}});
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  EXPECT_EQ(nodes.worst_away, 1u);
}

// Goal: an image that cannot be had stops the roll at its first Pod; the old one again mends it.
TEST_F(LoopTest, StopsAtMissingImage) {
  apply_cluster();
  start();
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  nodes.worst_away = 0;
  nodes.missing_image = "localhost/moldau:none";
  apply_cluster("demo", {{"image", nodes.missing_image}});
  ASSERT_TRUE(until([&] { return is(kClusters, "demo", "Degraded"); })) << why();
  world.run_for(minutes(5));
  std::size_t fine = 0;
  for (const Json& each : server.all(kPods)) fine += is_pod_ready(each) ? 1u : 0u;
  EXPECT_EQ(fine, 5u);
  apply_cluster("demo", {{"image", "localhost/moldau:dev"}});
  ASSERT_TRUE(until([&] { return ready(); })) << why();
  EXPECT_LE(nodes.worst_away, 1u);
}

// Goal: watches that end all the time lose nothing.
TEST_F(LoopTest, OutlivesCutWatches) {
  apply_cluster();
  Instance& mine = start();
  for (int i = 0; i < 200 && !ready(); ++i) {
    world.run_for(milliseconds(170));
    std::optional<ApiError> error;
    if (i % 3 == 1) error = ApiError{410, "Expired", "too old"};
    if (i % 3 == 2) error = ApiError{0, "", "reset"};
    mine.api.end_watches(error);
  }
  ASSERT_TRUE(until([&] { return ready(); })) << why();
}

// Goal: deleting a Topic with the policy Delete deletes the topic, and the Topic goes; with the
// default it stays.
TEST_F(LoopTest, DeletesTopics) {
  apply_cluster();
  apply_topic("gone", {{"deletionPolicy", "Delete"}});
  apply_topic("kept");
  start();
  ASSERT_TRUE(until([&] { return is(kTopics, "gone", "Ready") && is(kTopics, "kept", "Ready"); }))
      << why();
  for (const char* name : {"gone", "kept"}) {
    ApiCall call;
    call.verb = Verb::kDelete;
    call.kind = &kTopics;
    call.ns = "n";
    call.name = name;
    EXPECT_TRUE(server.serve(call).has_value());
  }
  ASSERT_TRUE(until([&] { return server.all(kTopics).empty(); })) << why(kTopics, "gone");
  EXPECT_FALSE(nodes.cluster("n", "demo").topics.contains("gone"));
  EXPECT_TRUE(nodes.cluster("n", "demo").topics.contains("kept"));
}

}  // namespace
}  // namespace kube
