#include "broker/node/peer_connection.h"

#include "broker/node/test_leader.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Peer : public testing::Test {
 protected:
  Peer() { connection->set_address({"leader", TestLeader::kPort}); }
  ~Peer() override { executor.kill(); }

  void call() {
    connection->call<wire::FetchResponse>(
        wire::FetchRequest{}, TestLeader::kVersion,
        [this](wire::FetchResponse* response, const io::IoError& error) {
          outcomes.push_back(response ? std::to_string(response->session_id) : error.what);
          codes.push_back(response ? 0 : error.code);
        });
  }
  void ask_again() {
    connection->call<wire::FetchResponse>(
        wire::FetchRequest{}, TestLeader::kVersion,
        [this](wire::FetchResponse* response, const io::IoError&) {
          codes.push_back(response ? 0 : 1);
          ask_again();
        });
  }
  void answer(std::int32_t session) {
    wire::FetchResponse response;
    response.session_id = session;
    leader->answer(response);
    world.run_for(milliseconds(5));
  }

  sim::World world{5};
  sim::SimNetwork network{world};
  base::SilentDiag diag;
  sim::SimExecutor executor{world, "follower"};
  std::unique_ptr<io::Net> net = network.join("follower", executor);
  std::unique_ptr<TestLeader> leader = std::make_unique<TestLeader>(world, network, "leader");
  std::unique_ptr<PeerConnection> connection = std::make_unique<PeerConnection>(
      executor, *net, diag, base::Random(1),
      PeerConnection::Options{
          .client_id = "me", .frame_bytes_max = 1000, .request_timeout = seconds(2)});
  std::vector<std::string> outcomes;
  std::vector<int> codes;
};

// Goal: calls share one connection, and answers reach them in order. Method: two at once.
TEST_F(Peer, AnswersInOrderOverOneConnection) {
  call();
  call();
  EXPECT_TRUE(outcomes.empty());
  world.run_for(milliseconds(5));
  ASSERT_EQ(leader->asked.size(), 2u);
  EXPECT_EQ(leader->asked[0].client_id, "me");
  answer(1);
  answer(2);
  EXPECT_EQ(outcomes, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(leader->connections, 1);
}

// Goal: a break, a timeout, an absurd frame and garbage each end the call with an error, and the
// next call works on a new connection. Method: one after the other.
TEST_F(Peer, SurvivesWhatGoesWrong) {
  const auto ask = [this] {
    call();
    world.run_for(milliseconds(50));
    ASSERT_EQ(leader->asked.size(), 1u);
  };
  ask();
  leader->break_connection();
  world.run_for(milliseconds(50));
  ask();
  world.run_for(seconds(3));  // no answer
  ask();
  leader->send_raw(base::Bytes(8, std::byte{0x7f}));
  world.run_for(milliseconds(50));
  ask();
  leader->asked.front().correlation_id += 5;
  answer(1);
  ask();
  leader->send_raw(
      base::Bytes{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{9}});
  world.run_for(milliseconds(50));
  EXPECT_EQ(codes, (std::vector<int>{ECONNRESET, ETIMEDOUT, EBADMSG, EBADMSG, EBADMSG}));
  ask();
  answer(7);
  EXPECT_EQ(outcomes.back(), "7");
  EXPECT_EQ(connection->failures(), 0u);
}

// Goal: a peer that is away is not hammered, and is found again at once when it is known to be
// back. Method: count the refusals of two seconds; then let it return.
TEST_F(Peer, BacksOffUntilThePeerIsKnownToBeBack) {
  leader = nullptr;
  ask_again();
  world.run_for(seconds(2));
  EXPECT_GE(codes.size(), 5u);
  EXPECT_LE(codes.size(), 14u);
  leader = std::make_unique<TestLeader>(world, network, "leader");
  connection->forget_failures();
  world.run_for(milliseconds(5));
  EXPECT_EQ(leader->asked.size(), 1u);
}

// Goal: abort ends the calls without a word, and the next call connects anew.
TEST_F(Peer, AbortIsSilent) {
  call();
  world.run_for(milliseconds(5));
  connection->abort();
  call();
  world.run_for(milliseconds(5));
  EXPECT_EQ(leader->connections, 2);
  answer(4);
  EXPECT_EQ(outcomes, std::vector<std::string>{"4"});
  call();
  connection = nullptr;
  world.run_for(seconds(3));
  EXPECT_EQ(outcomes.size(), 1u);
}

}  // namespace
}  // namespace broker
