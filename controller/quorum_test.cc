// Several controllers on simulated seams: how a quorum begins, who leads, how it changes.
#include <gtest/gtest.h>

#include <optional>

#include "common/control/quorum_client.h"
#include "controller/test_controller.h"

namespace controller {
namespace {

class QuorumTest : public testing::Test {
 protected:
  struct Node {
    sim::SimDisk disk{1};
    std::unique_ptr<sim::SimExecutor> executor;
    std::unique_ptr<io::RpcServer> endpoint;
    std::unique_ptr<Controller> controller;
    std::optional<io::IoResult<void>> started;
    int lives = 0;
  };

  ~QuorumTest() override {
    client = nullptr;
    for (auto& [id, node] : nodes) kill(id);
  }

  static std::string name(std::int32_t id) { return "controller" + std::to_string(id); }
  void start(std::int32_t id, std::vector<std::int32_t> voters = {1, 2, 3}) {
    Node& node = nodes[id];
    EXPECT_TRUE(node.disk.make_directories("/data").has_value());
    node.executor = std::make_unique<sim::SimExecutor>(
        world, name(id) + " life " + std::to_string(++node.lives));
    node.endpoint = rpc.serve(name(id), *node.executor);
    Config config;
    config.node_id = id;
    config.snapshot_after_bytes = 500'000;
    config.voters = std::move(voters);
    for (std::int32_t other : config.voters) config.endpoints[other] = {name(other), 1};
    const auto connect = [this, &node, id](std::int32_t, const io::Address& address) {
      return rpc.connect(name(id), address.host, *node.executor);
    };
    node.controller = std::make_unique<Controller>(
        Seams{node.disk, *node.executor, clock, diag, *node.endpoint,
              base::Random(static_cast<std::uint64_t>(id * 100 + node.lives)), connect},
        std::move(config));
    node.started.reset();
    node.controller->start("/data", [&node](io::IoResult<void> done) { node.started = done; });
  }
  void start_three() {
    for (std::int32_t id : {1, 2, 3}) start(id);
    ASSERT_TRUE(until([&] { return all_started(); }));
    control::QuorumClient::Members members;
    for (std::int32_t id : {1, 2, 3, 4}) {
      members.emplace(id, rpc.connect("client", name(id), client_executor));
    }
    client = std::make_unique<control::QuorumClient>(client_executor, base::Random(1),
                                                     std::move(members));
  }
  void kill(std::int32_t id) {
    Node& node = nodes[id];
    if (!node.executor) return;
    node.executor->kill();
    node.controller = nullptr;
    node.endpoint = nullptr;
    node.executor = nullptr;
    node.disk.kill_process();
  }
  // Loses the disk too.
  void wipe(std::int32_t id) {
    kill(id);
    ASSERT_TRUE(nodes[id].disk.remove_all("/data").has_value());
  }
  template <class Condition>
  bool until(Condition condition, base::Duration limit = seconds(5)) {
    return world.run_until(condition, limit);
  }
  bool all_started() {
    for (auto& [id, node] : nodes) {
      if (node.controller && !(node.started && node.started->has_value())) return false;
    }
    return true;
  }
  std::int32_t leader() {
    for (auto& [id, node] : nodes) {
      if (node.controller && node.controller->stats().leading) return id;
    }
    return 0;
  }
  template <class Reply, class Request>
  Reply call(const char* method, const Request& request, base::Duration timeout = seconds(5)) {
    std::optional<Reply> reply;
    client->call(method, request.SerializeAsString(), timeout,
                 [&](io::IoResult<std::string> bytes) {
                   reply.emplace();
                   ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
                   ASSERT_TRUE(reply->ParseFromString(*bytes));
                 });
    EXPECT_TRUE(until([&] { return reply.has_value(); }, seconds(20)));
    return reply.value_or(Reply());
  }
  // A change that needs no broker: producer ids.
  bool change() {
    proto::UpdateFeaturesRequest request;
    return call<proto::UpdateFeaturesReply>(methods::kUpdateFeatures, request).error().code() == 0;
  }
  proto::DescribeQuorumReply describe() {
    return call<proto::DescribeQuorumReply>(methods::kDescribeQuorum,
                                            proto::DescribeQuorumRequest());
  }
  std::vector<std::int32_t> voters() {
    std::vector<std::int32_t> out;
    const auto reply = describe();
    for (const auto& each : reply.voters()) out.push_back(each.id());
    std::ranges::sort(out);
    return out;
  }
  int add(std::int32_t id) {
    proto::AddVoterRequest request;
    request.set_id(id);
    request.set_host(name(id));
    request.set_port(1);
    return call<proto::AddVoterReply>(methods::kAddVoter, request, seconds(15)).error().code();
  }
  int remove(std::int32_t id) {
    proto::RemoveVoterRequest request;
    request.set_id(id);
    return call<proto::RemoveVoterReply>(methods::kRemoveVoter, request).error().code();
  }

  sim::World world{1};
  sim::SimRpc rpc{world};
  sim::SimClock clock{world};
  base::SilentDiag diag;
  sim::SimExecutor client_executor{world, "client"};
  std::map<std::int32_t, Node> nodes;
  std::unique_ptr<control::QuorumClient> client;
};

// Goal: a cluster begins only when all are there; then all know the same cluster.
TEST_F(QuorumTest, BeginsWithEverybody) {
  start(1);
  start(2);
  world.run_for(seconds(8));
  EXPECT_FALSE(nodes[1].started.has_value());
  EXPECT_EQ(leader(), 0);
  start(3);
  ASSERT_TRUE(until([&] { return all_started(); }));
  const auto id = nodes[1].controller->image()->cluster_id();
  EXPECT_FALSE(id.is_zero());
  for (std::int32_t each : {2, 3}) EXPECT_EQ(nodes[each].controller->image()->cluster_id(), id);
}

// Goal: the end of a leader's process is noticed at once, without an election timeout; the log goes
// on; who comes back follows.
TEST_F(QuorumTest, SurvivesItsLeader) {
  start_three();
  ASSERT_TRUE(change());
  for (int round = 0; round < 3; ++round) {
    const std::int32_t before = leader();
    kill(before);
    const auto began = world.now();
    ASSERT_TRUE(until([&] { return leader() != 0; }));
    EXPECT_LT(world.now() - began, milliseconds(400));
    ASSERT_TRUE(change());
    start(before);
    ASSERT_TRUE(until([&] { return all_started(); }));
  }
}

// Goal: a leader that is stopped hands over, and nothing that is asked meanwhile fails.
TEST_F(QuorumTest, StopHandsLeadershipOver) {
  start_three();
  const std::int32_t before = leader();
  bool stopped = false;
  nodes[before].controller->stop([&] { stopped = true; });
  const auto began = world.now();
  EXPECT_TRUE(change());
  EXPECT_LT(world.now() - began, milliseconds(200));
  EXPECT_NE(leader(), before);
  EXPECT_TRUE(until([&] { return stopped; }));
}

// Goal: without a majority nothing is changed, and with it again, all is well.
TEST_F(QuorumTest, NeedsMajority) {
  start_three();
  const std::int32_t lead = leader();
  for (std::int32_t id : {1, 2, 3}) {
    if (id != lead) kill(id);
  }
  world.run_for(seconds(3));
  EXPECT_EQ(leader(), 0);
  start(lead == 1 ? 2 : 1);
  ASSERT_TRUE(until([&] { return leader() != 0; }));
  EXPECT_TRUE(change());
}

// Goal: a wiped member is taken in again, is told from what it was, and then counts: the cluster
// lives on with it when another dies. Method: also the lowest id, which founded the cluster.
TEST_F(QuorumTest, TakesWipedMemberInAgain) {
  start_three();
  const auto cluster = nodes[1].controller->image()->cluster_id();
  for (std::int32_t wiped : {3, 1, 2}) {
    ASSERT_TRUE(change());
    wipe(wiped);
    start(wiped);
    ASSERT_TRUE(until([&] { return all_started(); }));
    EXPECT_EQ(nodes[wiped].controller->image()->cluster_id(), cluster);
    ASSERT_TRUE(until([&] { return voters().size() == 3; }));
    const std::int32_t other = wiped == 1 ? 2 : 1;
    kill(other);
    EXPECT_TRUE(change());
    start(other);
    ASSERT_TRUE(until([&] { return all_started(); }));
  }
}

// Goal: all but one wiped, there is no majority of what was promised: nobody leads, and no new
// cluster is begun.
TEST_F(QuorumTest, FoundsNoSecondCluster) {
  start_three();
  wipe(1);
  wipe(2);
  start(1);
  start(2);
  world.run_for(seconds(10));
  EXPECT_EQ(leader(), 0);
  EXPECT_FALSE(nodes[1].started.has_value());
}

// Goal: from 1 to 3 and back, online.
TEST_F(QuorumTest, GrowsAndShrinks) {
  start_three();
  EXPECT_EQ(voters(), (std::vector<std::int32_t>{1, 2, 3}));
  EXPECT_EQ(remove(3), 0);
  EXPECT_EQ(remove(leader()), 0);
  ASSERT_EQ(voters().size(), 1u);
  const std::int32_t left = voters().front();
  EXPECT_NE(remove(left), 0);
  const std::int32_t other = left == 1 ? 2 : 1;
  EXPECT_EQ(add(other), 0);
  start(4, {left});
  EXPECT_EQ(add(4), 0);
  EXPECT_EQ(add(4), static_cast<int>(wire::ErrorCode::kDuplicateVoter));
  EXPECT_EQ(remove(3), static_cast<int>(wire::ErrorCode::kVoterNotFound));
  ASSERT_TRUE(until([&] { return all_started(); }));
  EXPECT_EQ(voters().size(), 3u);
  kill(left);
  EXPECT_TRUE(change());
  for (const auto& each : describe().voters()) {
    EXPECT_FALSE(each.host().empty());
    if (each.id() != left) EXPECT_LT(each.last_contact_ms(), 1000);
  }
}

// Goal: a member that is far behind gets the snapshot, in several pieces.
TEST_F(QuorumTest, SendsSnapshot) {
  start_three();
  const std::int32_t lead = leader();
  const std::int32_t behind = lead == 3 ? 2 : 3;
  kill(behind);
  proto::RegisterBrokerRequest broker;
  broker.set_broker_id(1);
  broker.mutable_incarnation()->set_low(7);
  auto* listener = broker.add_listeners();
  listener->set_name("PLAINTEXT");
  listener->set_host("localhost");
  listener->set_port(9092);
  ASSERT_EQ(call<proto::RegisterBrokerReply>(methods::kRegisterBroker, broker).error().code(), 0);
  for (int i = 0; i < 4; ++i) {
    proto::CreateTopicsRequest request;
    for (int j = 0; j < 300; ++j) {
      auto* topic = request.add_topics();
      topic->set_name("topic" + std::to_string(i) + "-" + std::to_string(j));
      topic->set_partitions(33);
      topic->set_replication_factor(1);
    }
    ASSERT_EQ(call<proto::CreateTopicsReply>(methods::kCreateTopics, request).error().code(), 0);
  }
  ASSERT_TRUE(until([&] { return nodes[lead].controller->stats().snapshots > 0; }));
  start(behind);
  ASSERT_TRUE(until([&] {
    return nodes[behind].controller->image()->offset() == nodes[lead].controller->image()->offset();
  }));
  EXPECT_EQ(nodes[behind].controller->image()->topics().size(), 1200u);
}

}  // namespace
}  // namespace controller
