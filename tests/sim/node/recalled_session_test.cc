// A session that is recalled (broker/node/recall.h): it ends once what it has begun is answered.
// In a whole simulated node, without faults.
#include <gtest/gtest.h>

#include "broker/node/client_sessions.h"
#include "broker/node/stats.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/list_offsets_request.h"
#include "common/wire/msg/list_offsets_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/produce_request.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/raw_peer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "made";

class RecalledSession : public ::testing::Test {
 protected:
  RecalledSession() : node(world, network, rpc) {
    rpc.faults.delay_min = rpc.faults.delay_max = {};
    node.start();
    EXPECT_TRUE(world.run_until([&] { return node.serving(); }, seconds(5)));
    executor = std::make_unique<SimExecutor>(world, "peer");
    net = network.join("peer", *executor);
    const auto maker = connect();
    ask(*maker, metadata(), 9);  // makes the topic
  }
  ~RecalledSession() override { net = nullptr; }

  std::shared_ptr<RawPeer> connect() {
    auto peer = std::make_shared<RawPeer>();
    net->connect({kNodeHost, kNodePort}, [peer](auto connection) {
      peer->connection = *connection;
      return peer;
    });
    EXPECT_TRUE(world.run_until([&] { return peer->connection != nullptr; }, seconds(1)));
    return peer;
  }
  template <class Request>
  void ask(RawPeer& peer, const Request& request, std::int16_t version) {
    const std::size_t before = peer.frames().size();
    peer.send(framed(request, version, 1));
    EXPECT_TRUE(world.run_until([&] { return peer.frames().size() > before; }, seconds(2)));
  }
  void recall(bool again = false) {
    broker::Reactor& reactor = *node.broker()->node().reactors[0];
    reactor.executor.post(
        [&reactor, again] { reactor.client_sessions->recall_all(reactor.executor, again); });
  }
  std::uint64_t recalled() {
    return node.broker()->node().reactors[0]->stats->connections_recalled.value();
  }
  bool ends(const RawPeer& peer) {
    return world.run_until([&] { return peer.closed; }, milliseconds(100));
  }

  static wire::MetadataRequest metadata() {
    wire::MetadataRequest request;
    request.topics->push_back({.name = kTopic});
    request.allow_auto_topic_creation = true;
    return request;
  }
  static wire::FetchRequest fetch(std::int32_t replica) {
    wire::FetchRequest request;
    request.replica_id = replica;
    request.max_wait_ms = 10'000;
    request.min_bytes = 1;
    request.topics.emplace_back().topic = kTopic;
    request.topics[0].partitions.emplace_back().partition_max_bytes = 1000;
    return request;
  }
  static base::Bytes produce(std::int32_t correlation_id) {
    const base::Bytes batch = make_value_batch({7}, 1'700'000'000'000, 10);
    wire::ProduceRequest request{.acks = -1, .timeout_ms = 5000};
    auto& topic = request.topic_data.emplace_back();
    topic.name = kTopic;
    topic.partition_data.push_back({.index = 0, .records = wire::Records::of(batch)});
    return framed(request, 9, correlation_id);
  }
  std::int64_t end_of_log() {
    KafkaClient client(world, network, "reader");
    wire::ListOffsetsRequest request{.replica_id = -1};
    request.topics.emplace_back().name = kTopic;
    request.topics[0].partitions.push_back({.partition_index = 0, .timestamp = -1});
    std::int64_t end = -1;
    client.call<wire::ListOffsetsResponse>(request, 5, [&](const auto* response) {
      if (response != nullptr) end = response->topics.at(0).partitions.at(0).offset;
    });
    EXPECT_TRUE(world.run_until([&] { return end >= 0; }, seconds(2)));
    return end;
  }

  World world{7};
  SimNetwork network{world};
  SimRpc rpc{world};
  NodeProcess node;
  std::unique_ptr<SimExecutor> executor;
  std::unique_ptr<io::Net> net;
};

// Goal: only clients who learn by it who leads are recalled: not those of coordinators or tools,
// and no replicas. Method: one connection of each kind.
TEST_F(RecalledSession, OnlyWhoAsksForLeadersOrRecords) {
  const auto asked = connect();
  ask(*asked, metadata(), 9);
  const auto waits = connect();
  waits->send(framed(fetch(-1), 11, 1));
  const auto tool = connect();
  ask(*tool, wire::ApiVersionsRequest{}, 0);
  const auto replica = connect();
  replica->send(framed(fetch(2), 11, 1));
  const auto silent = connect();
  world.run_for(milliseconds(50));
  recall();
  EXPECT_TRUE(ends(*asked));
  EXPECT_TRUE(ends(*waits));
  EXPECT_TRUE(waits->received.empty());
  world.run_for(milliseconds(200));
  EXPECT_FALSE(tool->closed);
  EXPECT_FALSE(replica->closed);
  EXPECT_FALSE(silent->closed);
  EXPECT_EQ(recalled(), 3U);  // with the one that made the topic
  EXPECT_FALSE(world.failed()) << world.why();
}

// Goal: who has asked since is left alone the next time. Method: two that wait for records, one of
// which asked before.
TEST_F(RecalledSession, AgainOnlyWhoHasNotAsked) {
  const auto asked = connect();
  ask(*asked, metadata(), 9);
  const auto not_asked = connect();
  for (const auto& peer : {asked, not_asked}) peer->send(framed(fetch(-1), 11, 2));
  world.run_for(milliseconds(50));
  recall(true);
  EXPECT_TRUE(ends(*not_asked));
  EXPECT_FALSE(ends(*asked));
  recall();
  EXPECT_TRUE(ends(*asked));
  EXPECT_FALSE(world.failed()) << world.why();
}

// Goal: what was begun is answered before the end, and what was not begun is not done. Method:
// records are sent without a pause while the session is recalled; as many are in the log as were
// acknowledged.
TEST_F(RecalledSession, AnswersWhatItBegan) {
  const auto peer = connect();
  constexpr std::int32_t kCount = 400;
  for (std::int32_t i = 0; i < kCount; ++i) {
    world.after(milliseconds(1) * (i / 4), [&, i] {
      if (!peer->closed) peer->send(produce(i));
    });
  }
  ASSERT_TRUE(world.run_until([&] { return peer->frames().size() > 30; }, seconds(1)));
  recall();
  EXPECT_TRUE(ends(*peer));
  const auto answered = static_cast<std::int64_t>(peer->frames().size());
  EXPECT_LT(answered, kCount);
  world.run_for(seconds(1));
  EXPECT_EQ(end_of_log(), answered);
  EXPECT_FALSE(world.failed()) << world.why();
}

// Goal: a connection that came after a recall is not concerned by it, however many were there.
// Method: more connections than are recalled at a time; each ends, the next ones stay.
TEST_F(RecalledSession, EndsThoseOfThatMoment) {
  std::vector<std::shared_ptr<RawPeer>> peers;
  for (int i = 0; i < 600; ++i) {
    peers.push_back(connect());
    ask(*peers.back(), metadata(), 9);
  }
  recall();
  for (const auto& peer : peers) EXPECT_TRUE(ends(*peer));
  const auto next = connect();
  ask(*next, metadata(), 9);
  EXPECT_FALSE(ends(*next));
  EXPECT_FALSE(world.failed()) << world.why();
}

}  // namespace
}  // namespace sim
