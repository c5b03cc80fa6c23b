// What one connection may do to a broker: a session (broker/api/session.h) in a whole simulated
// node, under peers that send bytes as they please. No faults but theirs.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "broker/limits.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/api_versions_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"
#include "tests/sim/node/kafka_client.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/raw_peer.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

base::Bytes with_size(std::int32_t size, base::Bytes rest = {}) {
  base::Bytes bytes(4);
  base::store_be(bytes.data(), size);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

// Size, key, version, correlation id, no client id, nothing else.
base::Bytes header_only(std::int16_t api_key, std::int16_t version) {
  base::Bytes bytes(14);
  base::store_be<std::int32_t>(bytes.data(), 10);
  base::store_be(bytes.data() + 4, api_key);
  base::store_be(bytes.data() + 6, version);
  base::store_be<std::int32_t>(bytes.data() + 8, 7);
  base::store_be<std::int16_t>(bytes.data() + 12, -1);
  return bytes;
}

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : network(world), rpc(world), node(world, network, rpc) {
    rpc.faults.delay_min = rpc.faults.delay_max = {};
    node.start();
    EXPECT_TRUE(world.run_until([&] { return node.serving(); }, seconds(5)));
    executor = std::make_unique<SimExecutor>(world, "peer");
    net = network.join("peer", *executor);
  }
  ~SessionTest() override {
    // Another client is served whatever the peers did.
    KafkaClient client(world, network, "other");
    bool answered = false;
    client.call<wire::MetadataResponse>(
        wire::MetadataRequest{}, 9, [&](const auto* response) { answered = response != nullptr; });
    EXPECT_TRUE(world.run_until([&] { return answered; }, seconds(2)));
    EXPECT_FALSE(world.failed()) << world.why();
    net = nullptr;
  }

  std::shared_ptr<RawPeer> connect() {
    auto peer = std::make_shared<RawPeer>();
    net->connect({kNodeHost, kNodePort}, [peer](auto connection) {
      EXPECT_TRUE(connection);
      if (connection) peer->connection = *connection;
      return peer;
    });
    EXPECT_TRUE(world.run_until([&] { return peer->connection != nullptr; }, seconds(1)));
    return peer;
  }
  bool ends(const RawPeer& peer, base::Duration within = milliseconds(100)) {
    return world.run_until([&] { return peer.closed; }, within);
  }

  World world{5};
  SimNetwork network;
  SimRpc rpc;
  NodeProcess node;
  std::unique_ptr<SimExecutor> executor;
  std::unique_ptr<io::Net> net;
};

// Goal: a size that cannot be ends the connection at once, before anything is read or allocated.
// Method: sizes around the bounds, each on its own connection, with nothing behind them.
TEST_F(SessionTest, ImpossibleSizesEndTheConnection) {
  for (const std::int32_t size : {-1, INT32_MIN, INT32_MAX, (100 << 20) + 1}) {
    const auto peer = connect();
    peer->send(with_size(size));
    EXPECT_TRUE(ends(*peer)) << size;
    EXPECT_TRUE(peer->received.empty());
  }
}

// Goal: only Produce may be long. Method: the front of a Metadata and of a Produce request that
// announce more than the bound of the others.
TEST_F(SessionTest, OnlyProduceMayBeLong) {
  constexpr std::int32_t kLong = broker::limits::kOtherRequestBytesMax + 1;
  const auto metadata = connect();
  metadata->send(with_size(kLong, {std::byte{0}, std::byte{3}}));
  EXPECT_TRUE(ends(*metadata));
  const auto produce = connect();
  produce->send(with_size(kLong, {std::byte{0}, std::byte{0}}));
  EXPECT_FALSE(ends(*produce, seconds(1)));
}

// Goal: what is no request ends the connection, with nothing said. Method: unknown keys and
// versions, empty and truncated frames, a body that announces more than it has.
TEST_F(SessionTest, NonsenseEndsTheConnection) {
  const std::vector<base::Bytes> nonsense = {
      header_only(9999, 0), header_only(-1, 0), header_only(3, 99),           header_only(0, 0),
      header_only(1, 2),    with_size(0),       with_size(1, {std::byte{0}}), header_only(3, 1),
      header_only(8, 2),
  };
  for (std::size_t i = 0; i < nonsense.size(); ++i) {
    const auto peer = connect();
    peer->send(nonsense[i]);
    EXPECT_TRUE(ends(*peer)) << i;
    EXPECT_TRUE(peer->received.empty()) << i;
  }
}

// Goal: a client of a newer release is told which versions there are. Method: ApiVersions of a
// version that nobody knows; the answer is of version 0.
TEST_F(SessionTest, NewerApiVersionsAreAnsweredInVersionZero) {
  const auto peer = connect();
  base::Bytes newer = header_only(18, 99);
  newer.push_back(std::byte{0});  // no tagged fields in the header
  base::store_be<std::int32_t>(newer.data(), 11);
  peer->send(std::move(newer));
  ASSERT_TRUE(world.run_until([&] { return peer->frames().size() == 1; }, seconds(1)));
  wire::Reader in(peer->frames()[0]);
  EXPECT_EQ(wire::decode_response_header(in, 18, 0), 7);
  wire::ApiVersionsResponse response;
  ASSERT_TRUE(response.decode(in, 0));
  EXPECT_EQ(response.error_code, wire::ErrorCode::kUnsupportedVersion);
  EXPECT_FALSE(response.api_keys.empty());
  EXPECT_FALSE(peer->closed);
}

// Goal: pipelined requests are answered in their order, however the bytes are cut. Method: many
// requests of two kinds in one run, sent whole, and byte by byte.
TEST_F(SessionTest, AnswersInOrder) {
  base::Bytes all;
  constexpr std::int32_t kCount = 300;
  for (std::int32_t i = 0; i < kCount; ++i) {
    const auto one = i % 2 == 0 ? framed(wire::MetadataRequest{}, 9, i)
                                : framed(wire::ApiVersionsRequest{}, 0, i);
    all.insert(all.end(), one.begin(), one.end());
  }
  for (const std::size_t piece : {all.size(), std::size_t{1}}) {
    const auto peer = connect();
    for (std::size_t at = 0; at < all.size(); at += piece) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(at);
      peer->send(base::Bytes(from, from + static_cast<std::ptrdiff_t>(piece)));
    }
    ASSERT_TRUE(world.run_until([&] { return peer->frames().size() == kCount; }, seconds(20)));
    std::int32_t next = 0;
    for (const auto payload : peer->frames()) EXPECT_EQ(correlation_id_of(payload), next++);
  }
}

// Goal: what was answered before an offence still arrives. Method: a good request and a bad one in
// one run.
TEST_F(SessionTest, AnswersBeforeAnOffenceArrive) {
  const auto peer = connect();
  base::Bytes bytes = framed(wire::ApiVersionsRequest{}, 0, 1);
  const auto bad = header_only(9999, 0);
  bytes.insert(bytes.end(), bad.begin(), bad.end());
  peer->send(std::move(bytes));
  EXPECT_TRUE(ends(*peer));
  EXPECT_EQ(peer->frames().size(), 1u);
}

// Goal: who reads slowly stops being read, and loses nothing. Method: a peer that does not read
// sends requests with answers of far more than the network holds, then reads.
TEST_F(SessionTest, SlowReaderIsNotReadFrom) {
  const auto peer = connect();
  peer->connection->pause_reading();
  constexpr std::int32_t kCount = 2000;
  for (std::int32_t i = 0; i < kCount; ++i) peer->send(framed(wire::ApiVersionsRequest{}, 0, i));
  world.run_for(seconds(2));
  EXPECT_TRUE(peer->received.empty());
  peer->connection->resume_reading();
  ASSERT_TRUE(world.run_until([&] { return peer->frames().size() == kCount; }, seconds(60)));
  std::int32_t next = 0;
  for (const auto payload : peer->frames()) EXPECT_EQ(correlation_id_of(payload), next++);
}

// Goal: a handshake that does not go on is ended within its time, an idle connection is not.
// Method: half a frame, no byte at all, and a whole request; more than the bound passes.
TEST_F(SessionTest, HalfAFrameMustMakeProgress) {
  const auto half = connect();
  auto bytes = framed(wire::ApiVersionsRequest{}, 0, 1);
  half->send(base::Bytes(bytes.begin(), bytes.begin() + 6));
  const auto idle = connect();
  const auto served = connect();
  served->send(framed(wire::ApiVersionsRequest{}, 0, 1));
  EXPECT_FALSE(ends(*half, broker::limits::kPartialFrameMax - seconds(1)));
  EXPECT_TRUE(ends(*half, broker::limits::kPartialFrameMax + seconds(2)));
  EXPECT_FALSE(idle->closed);
  EXPECT_FALSE(served->closed);
  EXPECT_EQ(served->frames().size(), 1u);
  // connections.max.idle.ms, ten minutes.
  EXPECT_TRUE(ends(*idle, std::chrono::minutes(11)));
}

}  // namespace
}  // namespace sim
