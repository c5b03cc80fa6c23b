// The whole controller on simulated seams. Random crashes are in tests/sim/workload/metadata.cc.
#include <gtest/gtest.h>

#include <optional>

#include "common/meta/apply.h"
#include "controller/test_controller.h"

namespace controller {
namespace {

// Goal: an empty directory becomes a cluster that leads within milliseconds of disk time.
TEST_F(ControllerTest, StartsEmptyClusterAtOnce) {
  const auto began = world.now();
  auto started = start();
  ASSERT_TRUE(started && started->has_value());
  // Four waits for the disk at up to 3 ms each, no election timeout.
  EXPECT_LE(world.now() - began, milliseconds(15));
  EXPECT_TRUE(controller->stats().leading);
  EXPECT_FALSE(controller->image()->cluster_id().is_zero());
  EXPECT_EQ(controller->image()->feature("metadata.version"), 30);
}

// Goal: cluster id, topics and epochs are the same after a clean stop and after a kill.
TEST_F(ControllerTest, KeepsMetadataOverRestarts) {
  start();
  const auto id = controller->image()->cluster_id();
  EXPECT_EQ(register_broker().error().code(), 0);
  const auto reply = create("a", 3);
  EXPECT_EQ(reply.topics(0).error().code(), 0);
  EXPECT_GE(controller->image()->offset().value(), reply.offset());
  const auto topic = meta::from_proto(reply.topics(0).topic_id());
  for (const bool clean : {true, false}) {
    clean ? stop() : kill();
    auto started = start();
    ASSERT_TRUE(started && started->has_value());
    EXPECT_EQ(controller->image()->cluster_id(), id);
    ASSERT_NE(controller->image()->topic("a"), nullptr);
    EXPECT_EQ(controller->image()->topic("a")->id, topic);
    EXPECT_EQ(controller->image()->topic("a")->partitions.size(), 3u);
  }
}

// Goal: what is proposed together shares a sync. Method: 200 calls at one instant.
TEST_F(ControllerTest, GroupsCommits) {
  start();
  register_broker();
  const auto before = controller->stats().syncs;
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    client->call(methods::kCreateTopics, topic("t" + std::to_string(i)).SerializeAsString(),
                 seconds(5), [&](io::IoResult<std::string> bytes) {
                   proto::CreateTopicsReply reply;
                   ASSERT_TRUE(bytes.has_value() && reply.ParseFromString(*bytes));
                   EXPECT_EQ(reply.topics(0).error().code(), 0);
                   ++answered;
                 });
  }
  ASSERT_TRUE(world.run_until([&] { return answered == 200; }, seconds(10)));
  EXPECT_LE(controller->stats().syncs - before, 20u);
  EXPECT_EQ(controller->image()->topics().size(), 200u);
}

// Goal: the log is cut behind snapshots, and a restart from one gives the same image.
TEST_F(ControllerTest, CutsLogBehindSnapshots) {
  Config config;
  config.snapshot_after_bytes = 2000;
  start(config);
  register_broker();
  for (int i = 0; i < 60; ++i) create("t" + std::to_string(i), 2);
  EXPECT_GT(controller->stats().snapshots, 2u);
  EXPECT_LT(controller->stats().log_bytes, 5000u);
  const auto offset = controller->image()->offset();
  const auto image = meta::to_snapshot(*controller->image());
  kill();
  start(config);
  EXPECT_EQ(controller->image()->offset(), offset + 1);  // the new term's own entry
  auto again = meta::to_snapshot(*controller->image());
  again.set_offset(image.offset());
  again.set_epoch(image.epoch());
  EXPECT_EQ(again.SerializeAsString(), image.SerializeAsString());
}

// Goal: a full disk refuses changes without a lie, and serves again once there is space, without a
// restart.
TEST_F(ControllerTest, ServesAgainAfterFullDisk) {
  start();
  register_broker();
  create("before");
  disk.faults.capacity_bytes = 0;
  EXPECT_EQ(create("during").error().code(), static_cast<int>(wire::ErrorCode::kKafkaStorageError));
  world.run_for(seconds(5));
  EXPECT_FALSE(controller->stats().failed);
  disk.faults.capacity_bytes.reset();
  world.run_for(seconds(2));
  EXPECT_EQ(create("after").topics(0).error().code(), 0);
  EXPECT_NE(controller->image()->topic("before"), nullptr);
  kill();
  start();
  EXPECT_NE(controller->image()->topic("before"), nullptr);
  EXPECT_NE(controller->image()->topic("after"), nullptr);
}

// Goal: a failed sync ends this controller for good: no later call succeeds, none hangs.
TEST_F(ControllerTest, FailedSyncEndsService) {
  start();
  register_broker();
  disk.faults.fail_sync = disk.syncs();
  EXPECT_NE(create("a").error().code(), 0);
  EXPECT_NE(create("b").error().code(), 0);
  EXPECT_TRUE(controller->stats().failed);
}

// Goal: start says what is wrong: another cluster's directory, a directory in use, other voters
// that it cannot reach, a damaged log.
TEST_F(ControllerTest, StartFailsWithReasons) {
  Config config;
  config.cluster_id = {5, 5};
  auto started = start(config);
  ASSERT_TRUE(started && started->has_value());
  EXPECT_EQ(controller->image()->cluster_id(), (base::Uuid{5, 5}));
  {
    auto lock = disk.lock("/data/metadata");
    EXPECT_FALSE(lock.has_value());
  }
  kill();
  config.cluster_id = {6, 6};
  started = start(config);
  ASSERT_TRUE(started.has_value());
  ASSERT_FALSE(started->has_value());
  EXPECT_NE(started->error().what.find("belongs to cluster"), std::string::npos);
  kill();
  {
    auto lock = disk.lock("/data/metadata");
    ASSERT_TRUE(lock.has_value());
    started = start();
    ASSERT_TRUE(started.has_value());
    EXPECT_FALSE(started->has_value());
  }
  kill();
  Config three;
  three.voters = {1, 2, 3};
  started = start(three);
  ASSERT_TRUE(started.has_value());
  EXPECT_EQ(started->error().code, EINVAL);
  kill();
  disk.flip_bit("/data/metadata/00000000000000000001.wal", 30, 1);
  started = start();
  ASSERT_TRUE(started.has_value());
  ASSERT_FALSE(started->has_value());
  EXPECT_NE(started->error().what.find(".wal"), std::string::npos);
}

// Goal: a subscriber gets each offset once: from what it has when the log still holds that, else by
// a snapshot first.
TEST_F(ControllerTest, StreamsByOffset) {
  Config config;
  config.snapshot_after_bytes = 1500;
  start(config);
  register_broker();
  std::vector<proto::MetadataMessage> messages;
  const auto subscribe = [&](std::int64_t have) {
    messages.clear();
    proto::MetadataRequest request;
    request.set_have_offset(have);
    io::RpcStreamHandler handler;
    handler.on_message = [&](std::string bytes) {
      ASSERT_TRUE(messages.emplace_back().ParseFromString(bytes));
    };
    handler.on_broken = [](io::IoError) {};
    return client->subscribe(methods::kMetadata, request.SerializeAsString(), std::move(handler));
  };
  const auto check = [&](std::int64_t have) {
    world.run_for(milliseconds(100));
    std::int64_t at = have;
    for (const auto& message : messages) {
      if (message.has_snapshot()) at = message.snapshot().offset();
      for (const auto& entry : message.entries()) EXPECT_EQ(entry.offset(), ++at);
    }
    EXPECT_EQ(at, controller->image()->offset().value());
  };
  auto fresh = subscribe(-1);
  create("a");
  check(-1);
  ASSERT_FALSE(messages.empty());
  EXPECT_TRUE(messages.front().has_snapshot());
  const std::int64_t known = controller->image()->offset().value();
  create("b");
  fresh = subscribe(known);
  check(known);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_FALSE(messages.front().has_snapshot());
  for (int i = 0; i < 40; ++i) create("t" + std::to_string(i));
  fresh = subscribe(known);  // long cut off
  check(known);
  EXPECT_TRUE(messages.front().has_snapshot());
  EXPECT_EQ(controller->stats().subscribers, 1u);
}

// Goal: bytes that are not a request are refused, and change nothing.
TEST_F(ControllerTest, RefusesGarbage) {
  start();
  bool answered = false;
  client->call(
      methods::kCreateTopics, "\xff\xff\xff", seconds(1), [&](io::IoResult<std::string> bytes) {
        proto::CreateTopicsReply reply;
        ASSERT_TRUE(bytes.has_value() && reply.ParseFromString(*bytes));
        EXPECT_EQ(reply.error().code(), static_cast<int>(wire::ErrorCode::kInvalidRequest));
        answered = true;
      });
  EXPECT_TRUE(world.run_until([&] { return answered; }, seconds(5)));
}

// Goal: stop answers what is pending. Method: stop in the turn in which a call was proposed.
TEST_F(ControllerTest, StopAnswersWhatIsPending) {
  start();
  register_broker();
  bool answered = false;
  client->call(methods::kCreateTopics, topic("a").SerializeAsString(), seconds(5),
               [&](io::IoResult<std::string> bytes) {
                 ASSERT_TRUE(bytes.has_value());
                 answered = true;
               });
  const auto entries = controller->stats().entries;
  ASSERT_TRUE(world.run_until([&] { return controller->stats().entries > entries; }, seconds(1)));
  bool stopped = false;
  controller->stop([&] { stopped = true; });
  EXPECT_TRUE(world.run_until([&] { return stopped && answered; }, seconds(1)));
}

}  // namespace
}  // namespace controller
