// Brokers that come, go and come back, over the whole controller: the brokers here are nothing but
// a process with a subscription and heartbeats.
#include <gtest/gtest.h>

#include <algorithm>

#include "common/meta/apply.h"
#include "controller/test_controller.h"

namespace controller {
namespace {

constexpr base::BrokerId kOne{1};
constexpr base::BrokerId kTwo{2};
constexpr base::BrokerId kThree{3};

class ControllerLiveness : public ControllerTest {
 protected:
  // A broker's process: registers, follows the metadata, sends heartbeats.
  struct Process {
    std::int32_t id;
    std::unique_ptr<sim::SimExecutor> executor;
    std::unique_ptr<io::RpcClient> client;
    std::unique_ptr<io::RpcStream> stream;
    base::Timer timer;
    std::int64_t epoch = -1;
    std::int64_t applied = -1;
    bool silent = false;
    bool owes_heartbeats = true;
    bool want_shutdown = false;
    proto::HeartbeatReply last;
  };

  Process& boot(std::int32_t id, std::int64_t previous_epoch = -1) {
    auto& process = processes[id];
    kill_broker(id);
    process = std::make_unique<Process>();
    const std::string name = "broker " + std::to_string(id) + "." + std::to_string(++boots);
    process->id = id;
    process->executor = std::make_unique<sim::SimExecutor>(world, name);
    process->client = rpc.connect(name, "controller", *process->executor);
    const auto reply = register_process(*process, previous_epoch);
    EXPECT_EQ(reply.error().code(), 0) << reply.error().message();
    process->epoch = reply.broker_epoch();
    subscribe(*process);
    process->timer.on_fire([this, raw = process.get()] { beat(*raw); });
    beat(*process);
    return *process;
  }
  proto::RegisterBrokerReply register_process(Process& process, std::int64_t previous_epoch) {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(process.id);
    request.mutable_incarnation()->set_low(++incarnations);
    request.set_previous_broker_epoch(previous_epoch);
    request.set_heartbeats(process.owes_heartbeats);
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    return call<proto::RegisterBrokerReply>(methods::kRegisterBroker, request);
  }
  void subscribe(Process& process) {
    proto::MetadataRequest request;
    request.set_broker_id(process.id);
    request.set_have_offset(-1);
    io::RpcStreamHandler handler;
    handler.on_message = [raw = &process](std::string bytes) {
      proto::MetadataMessage message;
      ASSERT_TRUE(message.ParseFromString(bytes));
      if (message.has_snapshot()) raw->applied = message.snapshot().offset();
      for (const auto& entry : message.entries()) raw->applied = entry.offset();
    };
    handler.on_broken = [](io::IoError) {};
    process.stream = process.client->subscribe(methods::kMetadata, request.SerializeAsString(),
                                               std::move(handler));
  }
  void beat(Process& process) {
    process.executor->timers().set(process.timer, world.now() + milliseconds(100));
    if (process.silent) return;
    proto::HeartbeatRequest request;
    request.set_broker_id(process.id);
    request.set_broker_epoch(process.epoch);
    request.set_metadata_offset(process.applied);
    request.set_want_shutdown(process.want_shutdown);
    process.client->call(methods::kHeartbeat, request.SerializeAsString(), seconds(1),
                         [raw = &process](io::IoResult<std::string> bytes) {
                           if (bytes) raw->last.ParseFromString(*bytes);
                         });
  }
  // kill -9: the subscription breaks at once.
  void kill_broker(std::int32_t id) {
    auto& process = processes[id];
    if (!process) return;
    process->executor->kill();
    process = nullptr;
  }
  const meta::Partition& partition(int index = 0) {
    return *controller->image()->partition("t", index);
  }
  bool is_fenced(std::int32_t id) {
    return controller->image()->broker(base::BrokerId(id))->fenced;
  }
  bool wait(const std::function<bool()>& until, base::Duration limit = seconds(10)) {
    return world.run_until(until, limit);
  }
  void boot_all(int count) {
    for (int id = 1; id <= count; ++id) {
      boot(id);
      ASSERT_TRUE(wait([&] { return !is_fenced(id); }));
    }
  }
  // Three live brokers, and a topic of three partitions on all of them.
  void boot_three() {
    boot_all(3);
    create({{1, 2, 3}, {2, 3, 1}, {3, 1, 2}});
  }
  // The leader of partition 0 takes these into its ISR.
  int set_isr(const std::vector<int>& isr) {
    const auto& now = partition();
    proto::AlterPartitionRequest request;
    request.set_broker_id(now.leader.value());
    request.set_broker_epoch(processes[now.leader.value()]->epoch);
    auto* asked = request.add_partitions();
    meta::to_proto(controller->image()->topic("t")->id, asked->mutable_topic_id());
    asked->set_leader_epoch(now.leader_epoch.value());
    asked->set_partition_epoch(now.partition_epoch);
    for (int id : isr) {
      asked->add_isr()->set_broker_id(id);
      asked->mutable_isr(asked->isr_size() - 1)->set_broker_epoch(processes[id]->epoch);
    }
    const auto reply = call<proto::AlterPartitionReply>(methods::kAlterPartition, request);
    return reply.has_error() ? reply.error().code() : reply.partitions(0).error().code();
  }
  void create(const std::vector<std::vector<int>>& rows) {
    proto::CreateTopicsRequest request;
    auto* topic = request.add_topics();
    topic->set_name("t");
    topic->set_partitions(-1);
    topic->set_replication_factor(-1);
    for (const auto& row : rows) {
      auto* assignment = topic->add_assignments();
      assignment->set_partition(topic->assignments_size() - 1);
      for (int id : row) assignment->add_replicas(id);
    }
    const auto reply = call<proto::CreateTopicsReply>(methods::kCreateTopics, request);
    ASSERT_EQ(reply.topics(0).error().code(), 0) << reply.topics(0).error().message();
  }
  void end_brokers() {
    for (auto& [id, process] : processes) kill_broker(id);
  }
  ~ControllerLiveness() override { end_brokers(); }

  std::map<std::int32_t, std::unique_ptr<Process>> processes;
  int boots = 0;
  std::uint64_t incarnations = 0;
};

// Goal: a registered broker is fenced until its first heartbeat, then at once not.
TEST_F(ControllerLiveness, FirstHeartbeatUnfences) {
  start();
  Process& one = boot(1);
  EXPECT_TRUE(is_fenced(1));
  const auto began = world.now();
  ASSERT_TRUE(wait([&] { return !is_fenced(1); }));
  EXPECT_LE(world.now() - began, milliseconds(250));
  world.run_for(seconds(20));
  EXPECT_FALSE(is_fenced(1));
  EXPECT_FALSE(one.last.fenced());
}

// Goal: leaders move within a moment of a broker's death, to the next replica in order, and its
// place in the ISR is gone. Method: kill -9, which breaks the subscription.
TEST_F(ControllerLiveness, KilledBrokerLosesItsLeaderships) {
  start();
  boot_three();
  EXPECT_EQ(partition().leader, kOne);
  const auto leader_epoch = partition().leader_epoch;
  const auto began = world.now();
  kill_broker(1);
  ASSERT_TRUE(wait([&] { return partition().leader == kTwo; }));
  EXPECT_LE(world.now() - began, milliseconds(300));
  EXPECT_EQ(partition().leader_epoch, leader_epoch + 1);
  EXPECT_EQ(partition().isr, (std::vector{kTwo, kThree}));
  EXPECT_EQ(partition(1).leader, kTwo);
  EXPECT_TRUE(is_fenced(1));
  EXPECT_EQ(controller->stats().brokers_fenced, 1u);
  const auto counts = controller->cluster_counts();
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->brokers_live, 2);
  EXPECT_EQ(counts->brokers_fenced, 1);
  EXPECT_EQ(counts->partitions_under_replicated, counts->partitions);
  EXPECT_EQ(counts->partitions_offline, 0);
}

// Goal: an election that may lose records is counted, one that loses none is not. Method: the only
// replica in sync dies for good, and somebody asks for an unclean election.
TEST_F(ControllerLiveness, UncleanElectionIsCounted) {
  start();
  boot_three();
  ASSERT_EQ(set_isr({1}), 0);
  kill_broker(1);
  ASSERT_TRUE(wait([&] { return partition().leader == meta::kNoBroker; }));
  EXPECT_EQ(controller->stats().unclean_elections, 0u);
  EXPECT_EQ(controller->cluster_counts()->partitions_offline, 1);
  proto::ElectLeadersRequest request;
  request.set_election_type(1);
  auto* asked = request.add_topics();
  asked->set_name("t");
  asked->add_partitions(0);
  call<proto::ElectLeadersReply>(methods::kElectLeaders, request);
  ASSERT_TRUE(wait([&] { return partition().leader == kTwo; }));
  EXPECT_EQ(controller->stats().unclean_elections, 1u);
}

// Goal: a broker that hangs (its connection stays open) is fenced by the session timeout, not
// before.
TEST_F(ControllerLiveness, SilentBrokerIsFencedByTimeout) {
  start();
  boot_three();
  processes[1]->silent = true;
  world.run_for(milliseconds(2700));
  EXPECT_FALSE(is_fenced(1));
  world.run_for(milliseconds(500));
  EXPECT_TRUE(is_fenced(1));
  EXPECT_EQ(partition().leader, kTwo);
  // It wakes up: the same process with the same epoch is welcome again.
  processes[1]->silent = false;
  ASSERT_TRUE(wait([&] { return !is_fenced(1); }));
  EXPECT_EQ(partition().leader, kTwo);
}

// Goal: a broker that owes no heartbeats, as it is in the controller's process, may send some when
// there is news, and is not fenced when no more come. Method: one heartbeat, then nothing for long.
TEST_F(ControllerLiveness, NewsOfOneWithoutHeartbeatsOpensNoSession) {
  start();
  auto& process = *(processes[1] = std::make_unique<Process>());
  process.id = 1;
  process.owes_heartbeats = false;
  process.executor = std::make_unique<sim::SimExecutor>(world, "broker 1");
  process.client = rpc.connect("broker 1", "controller", *process.executor);
  process.epoch = register_process(process, -1).broker_epoch();
  process.timer.on_fire([] {});
  process.last.set_fenced(true);
  beat(process);
  ASSERT_TRUE(wait([&] { return !process.last.fenced(); }));
  EXPECT_FALSE(process.last.has_error());
  world.run_for(seconds(20));
  EXPECT_FALSE(is_fenced(1));
}

// Goal: a subscription that breaks and comes back in time costs nothing.
TEST_F(ControllerLiveness, BrokenSubscriptionIsForgivenInTime) {
  start();
  boot_three();
  const auto offset = controller->image()->offset();
  processes[1]->stream = nullptr;
  world.run_for(milliseconds(50));
  subscribe(*processes[1]);
  world.run_for(seconds(5));
  EXPECT_EQ(controller->image()->offset(), offset);
}

// Goal: nobody is fenced because the controller restarted; who died meanwhile is, after a session
// timeout.
TEST_F(ControllerLiveness, NewControllerGivesFreshSessions) {
  start();
  boot_three();
  kill();
  kill_broker(3);
  start();
  for (int id : {1, 2}) subscribe(*processes[id]);
  world.run_for(milliseconds(2500));
  for (int id = 1; id <= 3; ++id) EXPECT_FALSE(is_fenced(id));
  world.run_for(seconds(1));
  EXPECT_FALSE(is_fenced(1));
  EXPECT_FALSE(is_fenced(2));
  EXPECT_TRUE(is_fenced(3));
}

// Goal: a second process under a live broker's id is refused; once the first is dead it is welcome
// at once.
TEST_F(ControllerLiveness, SecondProcessIsRefusedWhileFirstLives) {
  start();
  boot_three();
  Process second;
  second.id = 1;
  const auto refused = register_process(second, -1);
  EXPECT_EQ(refused.error().code(),
            static_cast<int>(wire::ErrorCode::kDuplicateBrokerRegistration));
  world.run_for(seconds(1));
  EXPECT_FALSE(is_fenced(1));
  kill_broker(1);
  world.run_for(milliseconds(5));
  EXPECT_EQ(register_process(second, -1).error().code(), 0);
}

// Goal: in a controlled shutdown all leaders are away before the process may end, and everybody
// knows.
TEST_F(ControllerLiveness, ShutdownMovesLeadersFirst) {
  start();
  boot_three();
  processes[1]->want_shutdown = true;
  ASSERT_TRUE(wait([&] { return processes[1]->last.may_shutdown(); }));
  EXPECT_EQ(processes[1]->last.leaders_left(), 0);
  const auto offset = controller->image()->offset().value();
  for (int id : {2, 3}) EXPECT_GE(processes[id]->applied, offset);
  EXPECT_FALSE(is_fenced(1));
  for (int p = 0; p < 3; ++p) {
    EXPECT_NE(partition(p).leader, kOne);
    EXPECT_TRUE(std::ranges::find(partition(p).isr, kOne) == partition(p).isr.end());
  }
  const auto began = world.now();
  kill_broker(1);
  ASSERT_TRUE(wait([&] { return is_fenced(1); }));
  EXPECT_LE(world.now() - began, milliseconds(50));
}

// Goal: the leadership goes back to the preferred replica of its own accord once that is in sync.
TEST_F(ControllerLiveness, PreferredLeaderComesBack) {
  start();
  boot_all(3);
  create({{1, 2, 3}});
  kill_broker(1);
  ASSERT_TRUE(wait([&] { return partition().leader == kTwo; }));
  boot(1);
  ASSERT_TRUE(wait([&] { return !is_fenced(1); }));
  world.run_for(seconds(25));
  EXPECT_EQ(partition().leader, kTwo);
  ASSERT_EQ(set_isr({2, 3, 1}), 0);
  ASSERT_TRUE(wait([&] { return partition().leader == kOne; }, seconds(12)));
}

// Goal: a drain goes on by itself until nothing is left. Method: one partition, whose leader takes
// the new replica into its ISR.
TEST_F(ControllerLiveness, DrainGoesOnByItself) {
  start();
  boot_all(4);
  create({{1, 2, 3}});
  proto::DrainBrokerRequest request;
  request.set_broker_id(1);
  auto reply = call<proto::DrainBrokerReply>(methods::kDrainBroker, request);
  EXPECT_EQ(reply.error().code(), 0);
  EXPECT_EQ(reply.replicas_left(), 1);
  ASSERT_TRUE(wait([&] { return !partition().adding.empty(); }, seconds(3)));
  EXPECT_EQ(set_isr({1, 2, 3, 4}), static_cast<int>(wire::ErrorCode::kNewLeaderElected));
  reply = call<proto::DrainBrokerReply>(methods::kDrainBroker, request);
  EXPECT_EQ(reply.replicas_left(), 0);
  proto::ClusterHealthReply health =
      call<proto::ClusterHealthReply>(methods::kClusterHealth, proto::ClusterHealthRequest());
  EXPECT_TRUE(health.healthy());
  EXPECT_EQ(health.findings_size(), 1);
}

}  // namespace
}  // namespace controller
