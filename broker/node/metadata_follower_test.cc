// The follower against a controller played by hand; with the real one it is in
// tests/sim/workload/metadata.cc.
#include "broker/node/metadata_follower.h"

#include <gtest/gtest.h>

#include "broker/node/controller_client.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Follower : public testing::Test {
 protected:
  Follower() {
    endpoint->serve_stream("Broker/Metadata",
                           [this](std::string request, std::shared_ptr<io::RpcSink> made) {
                             proto::MetadataRequest parsed;
                             EXPECT_TRUE(parsed.ParseFromString(request));
                             asked_from.push_back(parsed.have_offset());
                             sink = std::move(made);
                           });
  }
  ~Follower() override {
    executor.kill();
    sink = nullptr;
  }

  void start() {
    follower.start(
        base::BrokerId(1),
        [this](const auto& before, const auto& after, const auto& delta) {
          EXPECT_LT(before->offset(), after->offset());
          EXPECT_EQ(follower.image(), after);
          offsets.push_back(after->offset().value());
          changed_topics += delta.topics.size();
        },
        [this] { ++broken; });
    world.run_for(milliseconds(50));
  }
  static std::string topic_batch(std::uint64_t id) {
    proto::RecordBatch batch;
    auto* topic = batch.add_records()->mutable_topic();
    topic->set_name("t" + std::to_string(id));
    topic->mutable_topic_id()->set_low(id);
    return batch.SerializeAsString();
  }
  void send_entry(std::int64_t offset, const std::string& batch) {
    proto::MetadataMessage message;
    auto* entry = message.add_entries();
    entry->set_offset(offset);
    entry->set_batch(batch);
    sink->send(message.SerializeAsString());
    world.run_for(milliseconds(2));
  }
  void send_snapshot(std::int64_t offset) {
    proto::MetadataMessage message;
    message.mutable_snapshot()->set_offset(offset);
    message.mutable_snapshot()->add_records()->mutable_topic()->set_name("of the snapshot");
    sink->send(message.SerializeAsString());
    world.run_for(milliseconds(2));
  }

  sim::World world{3};
  sim::SimRpc rpc{world};
  base::SilentDiag diag;
  sim::SimExecutor server{world, "server"};
  sim::SimExecutor executor{world, "broker"};
  std::unique_ptr<io::RpcServer> endpoint = rpc.serve("controller", server);
  std::unique_ptr<io::RpcClient> channel = rpc.connect("broker", "controller", executor);
  MetadataFollower follower{executor, *channel, diag, base::Random(1)};
  std::shared_ptr<io::RpcSink> sink;
  std::vector<std::int64_t> asked_from;
  std::vector<std::int64_t> offsets;
  std::size_t changed_topics = 0;
  int broken = 0;
};

// Goal: snapshot, then entries, each once and in order.
TEST_F(Follower, FollowsSnapshotThenEntries) {
  start();
  EXPECT_EQ(asked_from, std::vector<std::int64_t>{-1});
  send_snapshot(4);
  send_entry(5, topic_batch(5));
  send_entry(6, topic_batch(6));
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{4, 5, 6}));
  EXPECT_EQ(changed_topics, 3u);
  EXPECT_NE(follower.image()->topic("t6"), nullptr);
}

// Goal: an entry seen before does nothing; a gap, an entry that does not fit and bytes that are no
// message make it subscribe again from what it has.
TEST_F(Follower, StartsOverFromWhatItHas) {
  start();
  send_snapshot(4);
  send_entry(5, topic_batch(5));
  send_entry(5, topic_batch(5));
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{4, 5}));
  send_entry(9, topic_batch(9));  // a gap
  world.run_for(seconds(3));
  EXPECT_EQ(asked_from, (std::vector<std::int64_t>{-1, 5}));
  send_entry(6, topic_batch(5));  // the topic exists
  world.run_for(seconds(3));
  sink->send("\xff garbage");
  world.run_for(seconds(3));
  EXPECT_EQ(asked_from, (std::vector<std::int64_t>{-1, 5, 5, 5}));
  EXPECT_EQ(broken, 3);
  send_entry(6, topic_batch(6));
  EXPECT_EQ(follower.image()->offset(), base::Offset(6));
}

// Goal: a broken stream is taken up again before the controller gives the broker up.
TEST_F(Follower, ResubscribesAfterBreak) {
  start();
  send_snapshot(4);
  sink = nullptr;
  world.run_for(milliseconds(25));
  EXPECT_EQ(asked_from, (std::vector<std::int64_t>{-1, 4}));
  EXPECT_EQ(broken, 1);
}

// Goal: when_reached runs behind the entry's OnChange: at once when passed, later when not, and
// after stop().
TEST_F(Follower, WaitsForOffsets) {
  start();
  send_snapshot(4);
  std::string seen;
  follower.when_reached(base::Offset(-1), executor, [&] { seen += 'a'; });
  follower.when_reached(base::Offset(4), executor, [&] { seen += 'b'; });
  follower.when_reached(base::Offset(6), executor, [&] { seen += 'd'; });
  follower.when_reached(base::Offset(5), executor, [&] { seen += 'c'; });
  follower.when_reached(base::Offset(99), executor, [&] { seen += 'e'; });
  world.run_for(milliseconds(5));
  EXPECT_EQ(seen, "ab");
  send_entry(5, topic_batch(5));
  EXPECT_EQ(seen, "abc");
  send_entry(6, topic_batch(6));
  EXPECT_EQ(seen, "abcd");
  follower.stop();
  world.run_for(milliseconds(5));
  EXPECT_EQ(seen, "abcde");
  follower.when_reached(base::Offset(99), executor, [&] { seen += 'f'; });
  world.run_for(milliseconds(5));
  EXPECT_EQ(seen, "abcdef");
}

// Goal: no controller is an error that clients retry, given on the executor that was asked for.
TEST_F(Follower, ClientTellsWhenNobodyAnswers) {
  ControllerClient client(executor, *channel);
  std::vector<wire::ErrorCode> codes;
  const auto done = [&](std::expected<proto::CreateTopicsReply, CallError> reply) {
    ASSERT_FALSE(reply.has_value());
    codes.push_back(reply.error().code);
  };
  client.create_topics({}, seconds(1), server, done);  // not served
  world.run_for(seconds(2));
  rpc.faults.lost_percent = 100;
  client.create_topics({}, seconds(1), server, done);
  world.run_for(seconds(2));
  EXPECT_EQ(codes,
            (std::vector{wire::ErrorCode::kNotController, wire::ErrorCode::kRequestTimedOut}));
}

}  // namespace
}  // namespace broker
