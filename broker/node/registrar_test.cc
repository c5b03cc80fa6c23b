// The registrar against a controller played by hand.
#include "broker/node/registrar.h"

#include <gtest/gtest.h>

#include "common/meta/apply.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_rpc.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

class Registration : public testing::Test {
 protected:
  Registration() {
    endpoint->serve("Broker/Register", [this](std::string request, io::RpcReply reply) {
      ++registrations;
      EXPECT_TRUE(last_register.ParseFromString(request));
      if (error == ErrorCode::kNone) {
        register_reply.clear_error();
      } else {
        register_reply.mutable_error()->set_code(static_cast<int>(error));
      }
      reply(register_reply.SerializeAsString());
    });
    endpoint->serve("Broker/Heartbeat", [this](std::string request, io::RpcReply reply) {
      ++heartbeats;
      EXPECT_TRUE(last_heartbeat.ParseFromString(request));
      if (silent) return;
      reply(heartbeat_reply.SerializeAsString());
    });
    register_reply.set_broker_epoch(9);
    register_reply.set_offset(9);
  }
  ~Registration() override { executor.kill(); }

  void start() {
    registrar.start(
        {.id = base::BrokerId(1),
         .cluster_id = {},
         .incarnation = {1, 7},
         .listeners = {{"PLAINTEXT", "localhost", 9092}},
         .rack = "",
         .previous_epoch = base::BrokerEpoch(4),
         .directories = {{5, 6}}},
        [this](const Registrar::Registered& made) { registered.push_back(made); },
        [this](const CallError&) { ++refused; });
    world.run_for(milliseconds(50));
  }

  sim::World world{3};
  sim::SimRpc rpc{world};
  base::SilentDiag diag;
  sim::SimExecutor server{world, "server"};
  sim::SimExecutor executor{world, "broker"};
  std::unique_ptr<io::RpcServer> endpoint = rpc.serve("controller", server);
  std::unique_ptr<io::RpcClient> channel = rpc.connect("broker", "controller", executor);
  ControllerClient client{executor, *channel};
  Registrar registrar{executor, client, diag, base::Random(1), Registrar::Options{}};
  proto::RegisterBrokerReply register_reply;
  proto::HeartbeatReply heartbeat_reply;
  proto::RegisterBrokerRequest last_register;
  proto::HeartbeatRequest last_heartbeat;
  ErrorCode error = ErrorCode::kNone;
  bool silent = false;
  std::vector<Registrar::Registered> registered;
  int registrations = 0;
  int heartbeats = 0;
  int refused = 0;
};

// Goal: the epoch is known after registering, and a heartbeat says at once that the registration
// was applied; then they come in their interval.
TEST_F(Registration, RegistersThenBeats) {
  start();
  ASSERT_EQ(registered.size(), 1u);
  EXPECT_EQ(registrar.epoch(), base::BrokerEpoch(9));
  EXPECT_TRUE(last_register.heartbeats());
  EXPECT_EQ(last_register.previous_broker_epoch(), 4);
  ASSERT_EQ(last_register.directory_ids_size(), 1);
  EXPECT_EQ(meta::from_proto(last_register.directory_ids(0)), (base::Uuid{5, 6}));
  EXPECT_EQ(last_heartbeat.metadata_offset(), -1);
  registrar.applied(base::Offset(9));
  world.run_for(milliseconds(5));
  EXPECT_EQ(last_heartbeat.metadata_offset(), 9);
  EXPECT_FALSE(registrar.fenced());
  const int before = heartbeats;
  world.run_for(seconds(5));
  EXPECT_NEAR(heartbeats - before, 10, 1);
}

// Goal: a broker that owes no heartbeats sends one for each piece of news and none besides, also
// when the news came before its registration had been answered, and tries again when no answer
// comes. Method: count them.
TEST_F(Registration, WithoutHeartbeatsOnlyNewsIsTold) {
  Registrar quiet{executor, client, diag, base::Random(1), Registrar::Options{.heartbeats = false}};
  quiet.start(
      {.id = base::BrokerId(1),
       .cluster_id = {},
       .incarnation = {1, 7},
       .listeners = {},
       .rack = "",
       .directories = {}},
      [](const Registrar::Registered&) {}, [](const CallError&) {});
  quiet.tell_soon();
  quiet.tell_soon();
  world.run_for(seconds(5));
  EXPECT_EQ(heartbeats, 1);
  quiet.heartbeat_soon();  // no reason of its own
  quiet.applied(base::Offset(9));
  world.run_for(seconds(5));
  EXPECT_EQ(heartbeats, 1);
  silent = true;
  quiet.tell_soon();
  world.run_for(seconds(5));
  EXPECT_GT(heartbeats, 2);
  silent = false;
  world.run_for(seconds(5));
  const int told = heartbeats;
  world.run_for(seconds(60));
  EXPECT_EQ(heartbeats, told);
  EXPECT_FALSE(quiet.fenced());
  quiet.stop();
}

// Goal: a directory that cannot be opened after it was named is unnamed, also when a heartbeat is
// under way, and only then the owner hears that it is registered.
TEST_F(Registration, UnnamesADirectory) {
  start();
  registrar.heartbeat_soon();
  registrar.register_again({});
  EXPECT_TRUE(registrar.fenced());
  EXPECT_EQ(registered.size(), 1u);
  world.run_for(milliseconds(50));
  EXPECT_EQ(registrations, 2);
  ASSERT_EQ(registered.size(), 2u);
  EXPECT_EQ(last_register.directory_ids_size(), 0);
  EXPECT_TRUE(last_register.some_directories_failed());
}

// Goal: what others have to tell goes with each heartbeat, in the shutdown too, and they hear what
// came of it.
TEST_F(Registration, HeartbeatsCarryWhatIsDescribed) {
  std::vector<bool> heard;  // sizes are wanted
  start();
  EXPECT_EQ(last_heartbeat.full_directory_ids_size(), 0);
  registrar.describe_with(
      [](proto::HeartbeatRequest& request) { request.add_full_directory_ids()->set_low(3); },
      [&heard](const proto::HeartbeatReply* reply) {
        heard.push_back(reply != nullptr && reply->sizes_wanted());
      });
  heartbeat_reply.set_sizes_wanted(true);
  registrar.heartbeat_soon();
  world.run_for(milliseconds(5));
  EXPECT_EQ(heard, std::vector{true});
  ASSERT_EQ(last_heartbeat.full_directory_ids_size(), 1);
  EXPECT_EQ(last_heartbeat.full_directory_ids(0).low(), 3u);
  registrar.shut_down([] {});
  world.run_for(milliseconds(5));
  EXPECT_TRUE(last_heartbeat.want_shutdown());
  EXPECT_EQ(last_heartbeat.full_directory_ids_size(), 1);
}

// Goal: a controller that knows the registration no more gets a new one.
TEST_F(Registration, RegistersAgainWhenForgotten) {
  start();
  heartbeat_reply.mutable_error()->set_code(static_cast<int>(ErrorCode::kStaleBrokerEpoch));
  register_reply.set_broker_epoch(30);
  registrar.heartbeat_soon();
  world.run_for(milliseconds(3));
  heartbeat_reply.clear_error();
  world.run_for(milliseconds(500));
  EXPECT_EQ(registrar.epoch(), base::BrokerEpoch(30));
  EXPECT_EQ(registered.size(), 2u);
  EXPECT_EQ(last_heartbeat.broker_epoch(), 30);
}

// Goal: a refusal for good is said once; any other is tried again. An id in use is the one of a
// process that was cut off, until its session must have run out.
TEST_F(Registration, TellsFinalRefusals) {
  error = ErrorCode::kDuplicateBrokerRegistration;
  start();
  world.run_for(seconds(4));
  EXPECT_GT(registrations, 4);
  EXPECT_EQ(refused, 0);
  world.run_for(seconds(6));
  EXPECT_EQ(refused, 1);
  const int before = registrations;
  world.run_for(seconds(5));
  EXPECT_EQ(registrations, before);
  EXPECT_EQ(refused, 1);
}

// Goal: an orderly end waits for the controller's leave, and no longer than a controller answers.
TEST_F(Registration, ShutsDownWithLeave) {
  start();
  int done = 0;
  registrar.shut_down([&] { ++done; });
  world.run_for(milliseconds(500));
  EXPECT_TRUE(last_heartbeat.want_shutdown());
  EXPECT_EQ(done, 0);
  EXPECT_GT(heartbeats, 10);
  heartbeat_reply.set_may_shutdown(true);
  world.run_for(milliseconds(50));
  EXPECT_EQ(done, 1);
}

TEST_F(Registration, ShutsDownWithoutAController) {
  start();
  silent = true;
  int done = 0;
  registrar.shut_down([&] { ++done; });
  world.run_for(seconds(6));
  EXPECT_EQ(done, 1);
}

// Goal: after stop() nothing is called and nothing is sent.
TEST_F(Registration, StopsAtOnce) {
  start();
  registrar.stop();
  const int before = heartbeats;
  world.run_for(seconds(5));
  EXPECT_LE(heartbeats, before + 1);
}

}  // namespace
}  // namespace broker
