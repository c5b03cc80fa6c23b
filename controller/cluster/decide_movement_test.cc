// Elections by request, reassignments, drains, preferred leaders.
#include "controller/cluster/movement.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

class Movement : public Decide {
 protected:
  Movement() {
    for (int id : {1, 2, 3, 4}) boot(id);
    create_on("t", {{1, 2, 3}});
  }
  ErrorCode elect(int type, const std::string& topic = "t", std::int32_t index = 0) {
    proto::ElectLeadersRequest request;
    request.set_election_type(type);
    request.add_topics()->set_name(topic);
    request.mutable_topics(0)->add_partitions(index);
    auto decision = elect_leaders(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
    return static_cast<ErrorCode>(decision.reply.topics(0).partitions(0).error().code());
  }
  ErrorCode reassign(const std::optional<std::vector<std::int32_t>>& to, bool same_factor = false,
                     const std::string& topic = "t", std::int32_t index = 0) {
    proto::AlterPartitionReassignmentsRequest request;
    request.set_refuse_replication_factor_change(same_factor);
    request.add_topics()->set_name(topic);
    auto* partition = request.mutable_topics(0)->add_partitions();
    partition->set_partition(index);
    if (to) {
      partition->mutable_replicas();
      for (int id : *to) partition->mutable_replicas()->add_ids(id);
    }
    auto decision = alter_partition_reassignments(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
    const auto& error = decision.reply.topics(0).partitions(0).error();
    last_message = error.message();
    return static_cast<ErrorCode>(error.code());
  }
  int listed() const {
    proto::ListPartitionReassignmentsRequest request;
    request.set_all(true);
    const auto reply = list_partition_reassignments(request, *image).reply;
    return reply.topics_size() == 0 ? 0 : reply.topics(0).partitions_size();
  }
  proto::DrainBrokerReply drain(int id) {
    proto::DrainBrokerRequest request;
    request.set_broker_id(id);
    auto decision = drain_broker(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
    return decision.reply;
  }
  // Every leader takes all live replicas into its ISR, as if all had caught up.
  void catch_up() {
    const meta::ImagePtr held = image;
    for (const auto& [name, topic] : held->topics()) {
      for (std::int32_t p = 0; p < static_cast<std::int32_t>(topic->partitions.size()); ++p) {
        const auto& now = partition(name, p);
        if (now.leader == meta::kNoBroker) continue;
        std::vector<std::int32_t> isr;
        for (auto id : now.replicas) {
          if (image->broker(id)->live()) isr.push_back(id.value());
        }
        alter_isr(isr_request(isr, name, p));
      }
    }
  }
};

// Goal: the table of preferred elections.
TEST_F(Movement, PreferredElections) {
  EXPECT_EQ(elect(0), ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(elect(0, "t", 1), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(elect(0, "x"), ErrorCode::kUnknownTopicOrPartition);
  fence(1);
  EXPECT_EQ(elect(0), ErrorCode::kPreferredLeaderNotAvailable);
  reboot(1);
  EXPECT_EQ(elect(0), ErrorCode::kPreferredLeaderNotAvailable);  // live, not in sync
  ASSERT_EQ(alter_isr(isr_request({2, 3, 1})), ErrorCode::kNone);
  const auto leader_epoch = partition().leader_epoch;
  EXPECT_EQ(elect(0), ErrorCode::kNone);
  EXPECT_EQ(partition().leader.value(), 1);
  EXPECT_EQ(partition().leader_epoch, leader_epoch + 1);
  EXPECT_EQ(elect_leaders({}, *image, settings).reply.topics_size(), 0);
}

// Goal: an unclean election is only for a partition without leader, and only onto a live replica.
TEST_F(Movement, UncleanElections) {
  EXPECT_EQ(elect(1), ErrorCode::kElectionNotNeeded);
  for (int id : {1, 2, 3}) fence(id);
  boot(1);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  fence(1);
  EXPECT_EQ(elect(1), ErrorCode::kEligibleLeadersNotAvailable);
  boot(1);
  EXPECT_EQ(elect(1), ErrorCode::kNone);
  EXPECT_EQ(partition().leader.value(), 1);
  EXPECT_EQ(partition().isr, ids({1}));
  EXPECT_TRUE(partition().elr.empty());
}

// Goal: an election over everything answers only what had something to decide.
TEST_F(Movement, ElectionOverAll) {
  create_on("u", {{1, 2}, {2, 1}});
  fence(1);
  reboot(1);
  ASSERT_EQ(alter_isr(isr_request({2, 1}, "u", 0)), ErrorCode::kNone);
  proto::ElectLeadersRequest request;
  request.set_all(true);
  const auto decision = elect_leaders(request, *image, settings);
  ASSERT_EQ(decision.reply.topics_size(), 2);  // t-0 cannot, u-0 can, u-1 needs none
  EXPECT_EQ(decision.reply.topics(1).partitions_size(), 1);
  EXPECT_EQ(decision.records.size(), 1u);
}

// Goal: a reassignment adds, waits until what it adds is in sync, then removes, with a new leader
// and leader epoch where the old leader goes.
TEST_F(Movement, ReassignmentCompletes) {
  ASSERT_EQ(reassign({{4, 2, 3}}), ErrorCode::kNone) << last_message;
  EXPECT_EQ(partition().replicas, ids({4, 2, 3, 1}));
  EXPECT_EQ(partition().adding, ids({4}));
  EXPECT_EQ(partition().removing, ids({1}));
  EXPECT_EQ(partition().leader.value(), 1);
  EXPECT_EQ(listed(), 1);
  EXPECT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNone);  // 3 falls behind: goes on
  EXPECT_EQ(listed(), 1);
  EXPECT_EQ(alter_isr(isr_request({1, 2, 4})), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(partition().replicas, ids({4, 2, 3}));
  EXPECT_EQ(partition().isr, ids({2, 4}));
  EXPECT_EQ(partition().leader.value(), 4);
  EXPECT_TRUE(partition().adding.empty());
  EXPECT_TRUE(partition().removing.empty());
  EXPECT_EQ(listed(), 0);
}

// Goal: a smaller replication factor takes effect at once when somebody in sync stays, and raises
// the leader epoch so that the removed ones are told.
TEST_F(Movement, LowersReplicationFactor) {
  const auto leader_epoch = partition().leader_epoch;
  EXPECT_EQ(reassign({{1, 3}}), ErrorCode::kNone);
  EXPECT_EQ(partition().replicas, ids({1, 3}));
  EXPECT_EQ(partition().isr, ids({1, 3}));
  EXPECT_EQ(partition().leader_epoch, leader_epoch + 1);
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  EXPECT_EQ(reassign({{3}}), ErrorCode::kNone);  // not in sync: waits
  EXPECT_EQ(partition().replicas, ids({3, 1}));
  EXPECT_EQ(alter_isr(isr_request({1, 3})), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(partition().replicas, ids({3}));
  EXPECT_EQ(partition().leader.value(), 3);
}

// Goal: raising the factor only adds.
TEST_F(Movement, RaisesReplicationFactor) {
  EXPECT_EQ(reassign({{1, 2, 3, 4}}, true), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(reassign({{1, 2, 3, 4}}), ErrorCode::kNone);
  EXPECT_EQ(alter_isr(isr_request({1, 2, 3, 4})), ErrorCode::kNone);
  EXPECT_EQ(partition().replicas.size(), 4u);
  EXPECT_TRUE(partition().adding.empty());
}

// Goal: cancelling goes back to where it began, also when the added one had caught up partly or a
// second reassignment replaced the first.
TEST_F(Movement, CancelReverts) {
  EXPECT_EQ(reassign(std::nullopt), ErrorCode::kNoReassignmentInProgress);
  boot(5);
  ASSERT_EQ(reassign({{4, 5, 3}}), ErrorCode::kNone);
  ASSERT_EQ(alter_isr(isr_request({1, 2, 3, 4})), ErrorCode::kNone);
  ASSERT_EQ(listed(), 1);
  ASSERT_EQ(reassign({{5, 2, 3}}), ErrorCode::kNone);
  EXPECT_EQ(partition().adding, ids({5}));
  EXPECT_EQ(partition().removing, ids({4, 1}));
  ASSERT_EQ(reassign(std::nullopt), ErrorCode::kNone) << last_message;
  auto replicas = partition().replicas;
  std::ranges::sort(replicas);
  // 4 was being removed by the second one, and is what the first one had added.
  EXPECT_EQ(replicas, ids({1, 2, 3, 4}));
  EXPECT_EQ(listed(), 0);
}

// Goal: the errors of reassignments.
TEST_F(Movement, ReassignmentRefusals) {
  EXPECT_EQ(reassign({{}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(reassign({{1, 1}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(reassign({{1, 9}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(reassign({{1}}, false, "t", 7), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(reassign({{1}}, false, "x"), ErrorCode::kUnknownTopicOrPartition);
  const auto before = offset;
  EXPECT_EQ(reassign({{1, 2, 3}}), ErrorCode::kNone);
  EXPECT_EQ(offset, before);  // it is so already
  ASSERT_EQ(reassign({{4}}), ErrorCode::kNone);
  for (int id : {2, 3, 1}) fence(id);
  EXPECT_EQ(partition().isr, ids({1}));
  EXPECT_EQ(reassign(std::nullopt), ErrorCode::kNone);
}

// Goal: a drain moves a bounded number at a time, ends with nothing left, and the broker may then
// be unregistered. New topics avoid it from the first moment.
TEST_F(Movement, DrainEmptiesBroker) {
  settings.moves_at_once = 2;
  create_on("u", {{1, 2}, {2, 1}, {1, 3}, {3, 1}, {1, 4}});
  auto reply = drain(1);
  EXPECT_EQ(reply.replicas_left(), 6);
  EXPECT_EQ(reply.leaders_left(), 4);
  EXPECT_TRUE(reply.obstacles().empty());
  EXPECT_EQ(create(create_request("fresh", 6, 3)), ErrorCode::kNone);
  for (const auto& each : image->topic("fresh")->partitions) {
    EXPECT_TRUE(std::ranges::find(each.replicas, base::BrokerId(1)) == each.replicas.end());
  }
  int rounds = 0;
  for (; drain(1).replicas_left() > 0 && rounds < 20; ++rounds) {
    const auto moves = drain_step(*image, settings);
    EXPECT_LE(moves.size(), 2u);
    if (!moves.empty()) apply(moves);
    EXPECT_TRUE(drain_step(*image, settings).empty() || moves.size() < 2);
    catch_up();
  }
  EXPECT_EQ(rounds, 3);
  EXPECT_EQ(partition().replicas.size(), 3u);
  proto::UnregisterBrokerRequest request;
  request.set_broker_id(1);
  EXPECT_NE(unregister_broker(request, *image).reply.error().code(), 0);  // runs
  fence(1);
  apply(unregister_broker(request, *image).records);
  EXPECT_EQ(image->broker(base::BrokerId(1)), nullptr);
  EXPECT_EQ(unregister_broker(request, *image).reply.error().code(),
            static_cast<int>(ErrorCode::kBrokerIdNotRegistered));
}

// Goal: a drain that cannot end says why; a broker that holds replicas is not unregistered; a
// resumed broker gets new replicas again.
TEST_F(Movement, DrainTellsObstacles) {
  create_on("wide", {{1, 2, 3, 4}});
  const auto reply = drain(1);
  ASSERT_EQ(reply.obstacles_size(), 1);
  EXPECT_NE(reply.obstacles(0).find("wide-0"), std::string::npos);
  fence(1);
  proto::UnregisterBrokerRequest request;
  request.set_broker_id(1);
  EXPECT_NE(unregister_broker(request, *image).reply.error().code(), 0);
  reboot(1);
  EXPECT_TRUE(image->broker(base::BrokerId(1))->draining);  // outlives the process
  proto::ResumeBrokerRequest resume;
  resume.set_broker_id(1);
  apply(resume_broker(resume, *image).records);
  EXPECT_FALSE(image->broker(base::BrokerId(1))->draining);
  EXPECT_TRUE(resume_broker(resume, *image).records.empty());
  resume.set_broker_id(9);
  EXPECT_NE(resume_broker(resume, *image).reply.error().code(), 0);
}

// Goal: preferred leaders lead again, some at a time, only once their broker is in sync everywhere
// and nobody is going.
TEST_F(Movement, PreferredLeadersComeBack) {
  settings.leaders_at_once = 2;
  create_on("u", {{1, 2}, {1, 3}, {1, 4}});
  EXPECT_TRUE(balance_step(*image, settings).empty());
  fence(1);
  EXPECT_TRUE(balance_step(*image, settings).empty());
  reboot(1);
  ASSERT_EQ(alter_isr(isr_request({2, 3, 1})), ErrorCode::kNone);
  EXPECT_TRUE(balance_step(*image, settings).empty());  // u is behind
  catch_up();
  beat(4, true);
  EXPECT_TRUE(balance_step(*image, settings).empty());  // 4 is going
  fence(4);
  auto step = balance_step(*image, settings);
  ASSERT_EQ(step.size(), 2u);
  apply(step);
  step = balance_step(*image, settings);
  ASSERT_EQ(step.size(), 1u);
  apply(step);
  EXPECT_TRUE(balance_step(*image, settings).empty());
  for (int p = 0; p < 3; ++p) EXPECT_EQ(partition("u", p).leader.value(), 1);
  EXPECT_EQ(partition().leader.value(), 1);
}

// Goal: a broker that is new to a cluster with partitions gets its share without being asked for
// it, a few moves at a time, and leads where it is preferred by when the cluster says that it is
// done; while a broker is away nothing begins.
TEST_F(Movement, BalancesOntoANewBroker) {
  create_on("u", {{1, 2}, {2, 3}, {3, 1}, {1, 2}, {2, 3}, {3, 1}, {1, 2}, {2, 3}});
  EXPECT_FALSE(image->balancing());
  settings.moves_at_once = 2;
  settings.leaders_at_once = 2;
  enroll(9);
  EXPECT_TRUE(image->balancing());
  EXPECT_TRUE(rebalance_step(*image, settings).empty()) << "it is not there yet";
  EXPECT_EQ(rebalance({}, *image, settings).reply.waits_for(), "broker 9 is away");
  EXPECT_FALSE(beat(9).fenced());
  int rounds = 0;
  for (; image->balancing() && rounds < 50; ++rounds) {
    const auto step = rebalance_step(*image, settings);
    EXPECT_LE(step.size(), 2u);
    apply(step);
    EXPECT_TRUE(moving_count(*image) == 0 || rebalance_step(*image, settings).empty());
    catch_up();
  }
  EXPECT_FALSE(image->balancing());
  EXPECT_GE(rounds, 3);
  int held = 0;
  for (int p = 0; p < 8; ++p) {
    held += contains(partition("u", p).replicas, base::BrokerId(9));
    EXPECT_EQ(partition("u", p).leader, partition("u", p).replicas.front()) << p;
  }
  EXPECT_GE(held, 2);
  EXPECT_EQ(rebalance({}, *image, settings).reply.moves_size(), 0);
  reboot(9);
  EXPECT_FALSE(image->balancing()) << "it is not new any more";
}

// Goal: balancing begins nothing more once it is paused, and not at all for new brokers where the
// config says so.
TEST_F(Movement, BalancingIsPaused) {
  create_on("u", {{1, 2}, {1, 2}, {1, 2}, {1, 2}});
  settings.moves_at_once = 1;
  proto::RebalanceRequest request;
  request.set_execute(true);
  const auto begun = rebalance(request, *image, settings);
  EXPECT_TRUE(begun.reply.balancing());
  apply(begun.records);
  request.set_execute(false);
  request.set_pause(true);
  const auto paused = rebalance(request, *image, settings);
  EXPECT_FALSE(paused.reply.balancing());
  apply(paused.records);
  catch_up();
  EXPECT_TRUE(rebalance_step(*image, settings).empty());
  settings.balance_new_brokers = false;
  boot(9);
  EXPECT_FALSE(image->balancing());
}

// Goal: a rebalance is told before it is done, and done as reassignments.
TEST_F(Movement, Rebalances) {
  create_on("u", {{1, 2}, {1, 2}, {1, 2}, {1, 2}});
  proto::RebalanceRequest request;
  request.set_moves_max(3);
  const auto told = rebalance(request, *image, settings);
  EXPECT_TRUE(told.records.empty());
  EXPECT_EQ(told.reply.moves_size(), 3);
  request.set_execute(true);
  const auto done = rebalance(request, *image, settings);
  ASSERT_EQ(done.records.size(), 4u);
  EXPECT_TRUE(done.records.front().balancing().active());
  apply(done.records);
  EXPECT_EQ(rebalance(request, *image, settings).reply.moves_size(), 0);  // they are on their way
  for (int round = 0; round < 20; ++round) {
    catch_up();
    const auto next = rebalance(request, *image, settings);
    if (next.records.empty()) break;
    apply(next.records);
  }
  EXPECT_EQ(rebalance(request, *image, settings).reply.moves_size(), 0);
  std::map<base::BrokerId, int> held;
  for (const auto& [name, topic] : image->topics()) {
    for (const auto& each : topic->partitions) {
      for (auto id : each.replicas) ++held[id];
    }
  }
  for (const auto& [id, count] : held) EXPECT_NEAR(count, 11.0 / 4, 1);
}

}  // namespace
}  // namespace controller::cluster
