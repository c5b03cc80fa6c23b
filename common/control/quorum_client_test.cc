#include "common/control/quorum_client.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/wire/error_code.h"
#include "proto/controller.pb.h"
#include "proto/quorum.pb.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Result = io::IoResult<std::string>;

// A member that answers as it is told, and can be looked into.
class Member final : public io::RpcClient {
 public:
  Member(sim::SimExecutor& executor, std::int32_t id) : id(id), executor_(executor) {}

  void call(const std::string&, std::string request, base::Duration, io::RpcReply reply) override {
    requests.push_back(std::move(request));
    executor_.post([reply = std::move(reply), result = answer()]() mutable { reply(result); });
  }
  std::unique_ptr<io::RpcStream> subscribe(const std::string&, std::string,
                                           io::RpcStreamHandler handler) override {
    struct Stream final : io::RpcStream {
      explicit Stream(int& counter) : open(counter) { ++open; }
      ~Stream() override { --open; }
      int& open;
    };
    handlers.push_back(std::move(handler));
    return std::make_unique<Stream>(streams);
  }

  static Result not_controller(std::int32_t hint) {
    proto::ReplyHead head;
    head.mutable_error()->set_code(static_cast<int>(wire::ErrorCode::kNotController));
    head.mutable_error()->set_leader_id(hint);
    return head.SerializeAsString();
  }

  std::function<Result()> answer = [] { return not_controller(0); };
  std::int32_t id;
  std::vector<std::string> requests;
  std::vector<io::RpcStreamHandler> handlers;
  int streams = 0;

 private:
  sim::SimExecutor& executor_;
};

class QuorumClientTest : public testing::Test {
 protected:
  QuorumClientTest() {
    QuorumClient::Members owned;
    for (std::int32_t id : {1, 2, 3}) {
      auto member = std::make_unique<Member>(executor, id);
      members[id] = member.get();
      owned.emplace(id, std::move(member));
    }
    client = std::make_unique<QuorumClient>(executor, base::Random(3), std::move(owned));
  }
  void lead(std::int32_t id) {
    for (auto& [other, member] : members) {
      member->answer = [id, self = other]() -> Result {
        if (self == id) return "led by " + std::to_string(id);
        return Member::not_controller(id);
      };
    }
  }
  Result call(base::Duration timeout = seconds(2)) {
    std::optional<Result> result;
    client->call("A/B", "question", timeout, [&](Result got) { result = std::move(got); });
    EXPECT_TRUE(world.run_until([&] { return result.has_value(); }, seconds(10)));
    return std::move(*result);
  }
  std::size_t asked() const {
    std::size_t out = 0;
    for (const auto& [id, member] : members) out += member->requests.size();
    return out;
  }

  sim::World world{1};
  const base::Instant began = world.now();
  sim::SimExecutor executor{world, "client"};
  std::map<std::int32_t, Member*> members;
  std::unique_ptr<QuorumClient> client;
};

// Goal: whoever leads is found, by at most one hint, and asked directly from then on.
TEST_F(QuorumClientTest, FollowsHints) {
  for (std::int32_t leader : {1, 2, 3}) {
    lead(leader);
    EXPECT_EQ(call().value(), "led by " + std::to_string(leader));
    EXPECT_EQ(client->believed_leader(), leader);
    const auto before = asked();
    EXPECT_TRUE(call().has_value());
    EXPECT_EQ(asked(), before + 1);
  }
}

// Goal: voters that are added are found, and those that are removed are asked no more. Method: one
// member is configured; it says that there is another, elsewhere, and that one takes over alone.
TEST_F(QuorumClientTest, FollowsVoters) {
  std::map<std::string, Member*> at;
  std::vector<std::string> connected;
  const auto connect = [&](std::int32_t id, const io::Address& address) {
    auto member = std::make_unique<Member>(executor, id);
    at[address.to_string()] = member.get();
    connected.push_back(address.to_string());
    return member;
  };
  client = std::make_unique<QuorumClient>(executor, base::Random(3),
                                          QuorumClient::Addresses{{1, {"one", 1}}}, connect);
  const auto voters = [](const std::vector<std::pair<std::int32_t, std::string>>& listed) {
    proto::QuorumMembersReply reply;
    reply.set_from_leader(true);
    for (const auto& [id, host] : listed) {
      auto* to = reply.add_voters();
      to->set_id(id);
      to->set_host(host);
      to->set_port(host.empty() ? 0 : 7);
    }
    return reply.SerializeAsString();
  };
  at["one:1"]->answer = [&] { return voters({{1, ""}, {2, "two"}}); };
  EXPECT_TRUE(call().has_value());
  ASSERT_TRUE(world.run_until([&] { return at.contains("two:7"); }, seconds(3)));
  EXPECT_EQ(connected, (std::vector<std::string>{"one:1", "two:7"}));

  at["one:1"]->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
  at["two:7"]->answer = [&] { return voters({{2, "two"}}); };
  EXPECT_TRUE(call().has_value());
  EXPECT_EQ(client->believed_leader(), 2);
  // The one that is gone is asked no more, even when nobody answers.
  world.run_until([] { return false; }, seconds(3));
  at["two:7"]->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
  EXPECT_FALSE(call(milliseconds(500)).has_value());
  EXPECT_EQ(connected.size(), 2u);
}

// Goal: members that are down or know nothing are passed by.
TEST_F(QuorumClientTest, PassesByWhoIsDown) {
  lead(3);
  members[1]->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
  members[2]->answer = [] { return Member::not_controller(0); };
  EXPECT_EQ(call().value(), "led by 3");
}

// Goal: an election is waited for. Method: nobody leads for a second.
TEST_F(QuorumClientTest, WaitsForElection) {
  world.after(seconds(1), [&] { lead(2); });
  EXPECT_EQ(call().value(), "led by 2");
  EXPECT_LT(world.now() - began, milliseconds(1200));
  EXPECT_LT(asked(), 300u);
}

// Goal: who is down is asked ever more seldom, who is up as often as before; whoever leads then is
// found at once. Method: nobody leads for nine seconds, then one that was there all the time.
TEST_F(QuorumClientTest, LeavesTheDeadAlone) {
  members[1]->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
  base::Instant led;
  world.after(seconds(9), [&] {
    members[3]->answer = [] { return Result("led by 3"); };
    led = world.now();
  });
  EXPECT_EQ(call(seconds(60)).value(), "led by 3");
  EXPECT_LT(world.now() - led, milliseconds(90));
  EXPECT_GE(members[1]->requests.size(), 9 * 1000u / 500);
  EXPECT_LT(members[1]->requests.size(), 9 * 1000u / 125);
  EXPECT_GT(members[2]->requests.size(), 9 * 1000u / 85);
}

// Goal: one that was down and comes back is found as soon as another names it, and also when there
// is no other to do so. Method: all, or all but one, are down for nine seconds.
TEST_F(QuorumClientTest, FindsWhoComesBack) {
  for (const bool named : {true, false}) {
    for (auto& [id, member] : members) {
      member->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
    }
    if (named) members[2]->answer = [] { return Member::not_controller(0); };
    base::Instant led;
    world.after(seconds(9), [&] {
      members[1]->answer = [] { return Result("led by 1"); };
      if (named) members[2]->answer = [] { return Member::not_controller(1); };
      led = world.now();
    });
    EXPECT_EQ(call(seconds(60)).value(), "led by 1");
    EXPECT_LT(world.now() - led, milliseconds(named ? 90 : 510));
  }
}

// Goal: a member that is named as leader but is gone is not asked without a pause.
TEST_F(QuorumClientTest, BelievesNobodyBlindly) {
  members[1]->answer = [] { return io::io_failure(ECONNREFUSED, "refused"); };
  members[2]->answer = members[3]->answer = [] { return Member::not_controller(1); };
  EXPECT_FALSE(call(seconds(5)).has_value());
  EXPECT_GT(members[1]->requests.size(), 5 * 1000u / 90);
  EXPECT_LT(members[1]->requests.size(), 5 * 1000u / 20);
}

// Goal: those who wait for a leader ask no more than one of them would, and go on together.
TEST_F(QuorumClientTest, ManyAskAsOne) {
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    client->call("A/B", "", seconds(30),
                 [&](const Result& got) { answered += got.has_value() ? 1 : 0; });
  }
  world.run_for(seconds(10));
  EXPECT_LT(asked(), 3 * 10 * 1000u / 20);
  EXPECT_EQ(answered, 0);
  lead(2);
  EXPECT_TRUE(world.run_until([&] { return answered > 0; }, milliseconds(90)));
  EXPECT_TRUE(world.run_until([&] { return answered == 20; }, milliseconds(3)));
}

// Goal: the end of the caller's time is kept, and the answer says what was heard.
TEST_F(QuorumClientTest, GivesUpInTime) {
  for (auto& [id, member] : members) {
    member->answer = [] { return io::io_failure(ECONNREFUSED, "nobody there"); };
  }
  const Result result = call(milliseconds(500));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ETIMEDOUT);
  EXPECT_NE(result.error().what.find("nobody there"), std::string::npos);
  EXPECT_LE(world.now() - began, milliseconds(501));
}

// Goal: what may have been executed is not repeated, but the next call goes elsewhere.
TEST_F(QuorumClientTest, RepeatsNothingThatMayHaveBeenDone) {
  lead(2);
  EXPECT_TRUE(call().has_value());
  for (int code : {ECONNRESET, ETIMEDOUT}) {
    lead(2);
    EXPECT_TRUE(call().has_value());
    members[2]->answer = [code] { return io::io_failure(code, "broken"); };
    const auto before = asked();
    EXPECT_EQ(call().error().code, code);
    EXPECT_EQ(asked(), before + 1);
    EXPECT_EQ(client->believed_leader(), -1);
  }
  // An error of the service itself says nothing against the leader.
  lead(2);
  EXPECT_TRUE(call().has_value());
  members[2]->answer = [] { return io::io_failure(EINVAL, "no"); };
  EXPECT_EQ(call().error().code, EINVAL);
  EXPECT_EQ(client->believed_leader(), 2);
}

// Goal: a stream goes to the leader, breaks when another leads, and only once.
TEST_F(QuorumClientTest, StreamFollowsLeader) {
  lead(2);
  EXPECT_TRUE(call().has_value());
  std::vector<std::string> got;
  int broken = 0;
  const io::RpcStreamHandler handler{[&](std::string message) { got.push_back(message); },
                                     [&](const io::IoError&) { ++broken; }};
  auto stream = client->subscribe("A/Watch", "", handler);
  ASSERT_EQ(members[2]->handlers.size(), 1u);
  members[2]->handlers[0].on_message("one");
  lead(3);
  EXPECT_TRUE(call().has_value());
  world.run_for(milliseconds(10));
  EXPECT_EQ(broken, 1);
  EXPECT_EQ(members[2]->streams, 0);
  members[2]->handlers[0].on_message("late");
  members[2]->handlers[0].on_broken({ECONNRESET, "late"});
  EXPECT_EQ(got, std::vector<std::string>{"one"});
  EXPECT_EQ(broken, 1);

  stream = client->subscribe("A/Watch", "", handler);
  ASSERT_EQ(members[3]->handlers.size(), 1u);
  members[3]->handlers[0].on_broken({ECONNRESET, "refused: does not lead"});
  EXPECT_EQ(broken, 2);
  EXPECT_EQ(client->believed_leader(), -1);
  // Nobody known: another one is tried.
  stream = client->subscribe("A/Watch", "", handler);
  EXPECT_EQ(members[3]->handlers.size(), 1u);
  stream = nullptr;
  world.run_for(milliseconds(10));
  for (auto& [id, member] : members) EXPECT_EQ(member->streams, 0);
  EXPECT_EQ(broken, 2);
}

// Goal: a client may end with calls open.
TEST_F(QuorumClientTest, EndsWithOpenCalls) {
  client->call("A/B", "", seconds(1), [](const Result&) { ADD_FAILURE(); });
  client = nullptr;
  world.run_for(seconds(2));
}

}  // namespace
}  // namespace control
