// The simulator's own parts.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_rpc.h"
#include "tests/sim/workload/workload.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Goal (unseed): one seed is one run, another is another. Method: digests of every workload's
// trace.
TEST(World, SameSeedGivesSameDigest) {
  for (auto* run : {+[](World& world) { run_raft(world, 3); }, +run_metadata}) {
    const auto digest = [&](std::uint64_t seed) {
      World world(seed);
      run(world);
      EXPECT_FALSE(world.failed()) << world.why();
      return world.digest();
    };
    EXPECT_EQ(digest(11), digest(11));
    EXPECT_NE(digest(11), digest(12));
  }
}

// Goal: events of one instant run in the order in which they were given.
TEST(World, OrdersEventsByTimeThenSequence) {
  World world(1);
  std::string seen;
  world.after(seconds(2), [&] { seen += 'c'; });
  world.after(seconds(1), [&] {
    seen += 'a';
    world.after(seconds(1), [&] { seen += 'd'; });
  });
  world.after(seconds(1), [&] { seen += 'b'; });
  world.run_for(seconds(3));
  EXPECT_EQ(seen, "abcd");
}

// Goal: timers fire at their time, in virtual time; a killed executor runs nothing more.
TEST(SimExecutor, FiresTimersAndDies) {
  World world(1);
  SimExecutor executor(world, "x");
  int fired = 0;
  int posted = 0;
  base::Timer timer([&] { ++fired; });
  const auto begin = world.now();
  executor.timers().set(timer, begin + seconds(20));
  executor.post([&] { ++posted; });
  world.run_until([&] { return fired == 1; }, seconds(30));
  EXPECT_EQ(world.now() - begin, seconds(20));
  EXPECT_EQ(posted, 1);
  executor.timers().set(timer, world.now() + seconds(1));
  executor.blocking([&] { ++posted; }, [&] { ++posted; });
  executor.kill();
  executor.post([&] { ++posted; });
  world.run_for(seconds(5));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(posted, 1);
}

// Collects what arrives, `take` bytes at most at a time.
struct Reader : io::ConnectionHandler {
  std::string got;
  std::string closed = "open";
  bool drained = false;
  std::size_t take = SIZE_MAX;
  std::size_t on_data(base::MutableBytes in) override {
    const auto size = std::min(in.size(), take);
    got += base::as_text(in.first(size));
    return size;
  }
  void on_drained() override { drained = true; }
  void on_closed(const std::string& error) override { closed = error.empty() ? "end" : error; }
};

class SimNetTest : public testing::Test {
 protected:
  void connect() {
    auto bound = server_net->listen({"server", 0}, [this](std::shared_ptr<io::Connection> made) {
      server = std::move(made);
      return server_reader;
    });
    ASSERT_TRUE(bound.has_value());
    client_net->connect(*bound,
                        [this](io::IoResult<std::shared_ptr<io::Connection>> made)
                            -> std::shared_ptr<io::ConnectionHandler> {
                          EXPECT_TRUE(made.has_value());
                          client = *made;
                          return client_reader;
                        });
    ASSERT_TRUE(world.run_until([&] { return server && client; }, seconds(1)));
  }
  static base::Bytes bytes(const std::string& text) {
    const auto view = base::as_bytes(text);
    return {view.begin(), view.end()};
  }

  World world{5};
  SimNetwork network{world};
  SimExecutor server_executor{world, "server"};
  SimExecutor client_executor{world, "client"};
  std::unique_ptr<io::Net> server_net = network.join("server", server_executor);
  std::unique_ptr<io::Net> client_net = network.join("client", client_executor);
  std::shared_ptr<Reader> server_reader = std::make_shared<Reader>();
  std::shared_ptr<Reader> client_reader = std::make_shared<Reader>();
  std::shared_ptr<io::Connection> server;
  std::shared_ptr<io::Connection> client;
};

// Goal: bytes arrive whole and in order, however they are cut; an orderly close follows them.
TEST_F(SimNetTest, CarriesBytesInOrder) {
  connect();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(static_cast<std::size_t>(1 + i * 37 % 5000),
                            static_cast<char>('a' + i % 26));
    sent += piece;
    client->send(bytes(piece));
  }
  client->close(true);
  ASSERT_TRUE(world.run_until([&] { return server_reader->closed != "open"; }, seconds(10)));
  EXPECT_EQ(server_reader->got, sent);
  EXPECT_EQ(server_reader->closed, "end");
  EXPECT_EQ(client_reader->closed, "end");
}

// Goal: a reader that pauses stops its peer: what is queued stays, and drains once it reads again.
TEST_F(SimNetTest, PausedReaderStopsItsPeer) {
  connect();
  server->pause_reading();
  client->send(base::Bytes(4 << 20));
  world.run_for(seconds(5));
  EXPECT_TRUE(server_reader->got.empty());
  EXPECT_GT(client->queued_bytes(), 3u << 20);
  EXPECT_FALSE(client_reader->drained);
  server->resume_reading();
  world.run_for(seconds(5));
  EXPECT_EQ(server_reader->got.size(), 4u << 20);
  EXPECT_EQ(client->queued_bytes(), 0u);
  EXPECT_TRUE(client_reader->drained);
}

// Goal: nothing passes a cut, and all of it once healed; a reset ends both sides.
TEST_F(SimNetTest, CutsAndResets) {
  connect();
  network.cut("client", "server");
  client->send(bytes("late"));
  world.run_for(seconds(1));
  EXPECT_TRUE(server_reader->got.empty());
  network.heal();
  world.run_for(seconds(1));
  EXPECT_EQ(server_reader->got, "late");
  network.reset("client", "server");
  world.run_for(seconds(1));
  EXPECT_EQ(server_reader->closed, "connection reset by peer");
  EXPECT_EQ(client_reader->closed, "connection reset by peer");
}

// Goal: nobody answers where nobody listens; a process that dies resets its peers.
TEST_F(SimNetTest, DeadProcessResetsItsPeers) {
  int code = 0;
  client_net->connect({"server", 1},
                      [&](io::IoResult<std::shared_ptr<io::Connection>> made)
                          -> std::shared_ptr<io::ConnectionHandler> {
                        if (!made) code = made.error().code;
                        return nullptr;
                      });
  world.run_for(seconds(1));
  EXPECT_EQ(code, ECONNREFUSED);
  connect();
  server_executor.kill();
  server_net = nullptr;
  world.run_for(seconds(1));
  EXPECT_EQ(client_reader->closed, "connection reset by peer");
}

// Goal: a process may end while it connects, whatever its peer does then.
TEST_F(SimNetTest, ProcessEndsWhileItConnects) {
  auto bound = server_net->listen({"server", 0}, [this](std::shared_ptr<io::Connection> made) {
    server = std::move(made);
    return server_reader;
  });
  ASSERT_TRUE(bound.has_value());
  // So long that the server has accepted, answered and ended before the client knows.
  network.faults.delay_min = network.faults.delay_max = std::chrono::milliseconds(1);
  auto process = std::make_unique<SimExecutor>(world, "short-lived");
  auto net = network.join("short-lived", *process);
  net->connect(*bound, [](const auto&) { return nullptr; });
  ASSERT_TRUE(world.run_until([&] { return server != nullptr; }, seconds(1)));
  network.faults.delay_min = network.faults.delay_max = std::chrono::microseconds(10);
  server->close(false);
  process->kill();
  net = nullptr;
  process = nullptr;
  world.run_for(seconds(1));
  EXPECT_EQ(server_reader->closed, "end");
}

// Goal: calls are answered, lost ones time out, and none is answered twice; streams keep their
// order and break when the server goes.
TEST(SimRpc, AnswersOnceAndBreaksStreams) {
  World world(6);
  SimRpc rpc(world);
  SimExecutor server(world, "server");
  SimExecutor client(world, "client");
  auto endpoint = rpc.serve("server", server);
  std::shared_ptr<io::RpcSink> sink;
  endpoint->serve("Echo", [](std::string request, io::RpcReply reply) { reply(request + "!"); });
  endpoint->serve_stream("Count", [&](std::string, std::shared_ptr<io::RpcSink> made) {
    sink = std::move(made);
    for (char c = 'a'; c <= 'z'; ++c) sink->send(std::string(1, c));
  });
  auto channel = rpc.connect("client", "server", client);
  rpc.faults.lost_percent = 30;
  int good = 0;
  int late = 0;
  for (int i = 0; i < 100; ++i) {
    channel->call("Echo", "x", seconds(1), [&](io::IoResult<std::string> reply) {
      ++(reply ? good : late);
      if (reply) {
        EXPECT_EQ(*reply, "x!");
      } else {
        EXPECT_EQ(reply.error().code, ETIMEDOUT);
      }
    });
  }
  world.run_for(seconds(3));
  EXPECT_EQ(good + late, 100);
  EXPECT_GT(good, 20);
  EXPECT_GT(late, 20);

  rpc.faults.lost_percent = 0;
  std::string seen;
  int broken = 0;
  io::RpcStreamHandler handler;
  handler.on_message = [&](std::string message) { seen += message; };
  handler.on_broken = [&](io::IoError) { ++broken; };
  auto stream = channel->subscribe("Count", "", std::move(handler));
  world.run_for(seconds(1));
  EXPECT_EQ(seen, "abcdefghijklmnopqrstuvwxyz");
  sink = nullptr;
  endpoint = nullptr;
  world.run_for(seconds(1));
  EXPECT_EQ(broken, 1);
  int refused = 0;
  channel->call("Echo", "x", seconds(1), [&](io::IoResult<std::string> reply) {
    if (!reply) refused = reply.error().code;
  });
  world.run_for(seconds(2));
  EXPECT_EQ(refused, ECONNREFUSED);
}

}  // namespace
}  // namespace sim
