// Brokers that go and come back: fencing, registrations, heartbeats, shutdown.
#include "controller/cluster/partition_change.h"
#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

class Fence : public Decide {
 protected:
  Fence() {
    for (int id : {1, 2, 3}) boot(id);
    create_on("t", {{1, 2, 3}});
  }
  bool is_fenced(int id) const { return image->broker(base::BrokerId(id))->fenced; }
};

// Goal: the leadership goes to the first live member in the order of replicas, with a new epoch;
// the fenced broker leaves the ISR.
TEST_F(Fence, MovesLeaderInOrder) {
  fence(1);
  EXPECT_TRUE(is_fenced(1));
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().leader_epoch.value(), 1);
  EXPECT_EQ(partition().isr, ids({2, 3}));
  EXPECT_TRUE(fence_broker(base::BrokerId(1), false, *image, settings).empty());
  EXPECT_TRUE(fence_broker(base::BrokerId(9), false, *image, settings).empty());
}

// Goal: that a broker was silent is known while it is fenced, and no longer. Method: fenced in both
// ways, and back after the silence.
TEST_F(Fence, SilenceIsRemembered) {
  fence(1, true);
  EXPECT_TRUE(image->broker(base::BrokerId(1))->silent);
  beat(1);
  EXPECT_FALSE(is_fenced(1));
  EXPECT_FALSE(image->broker(base::BrokerId(1))->silent);
  fence(2);
  EXPECT_TRUE(is_fenced(2));
  EXPECT_FALSE(image->broker(base::BrokerId(2))->silent);
}

// Goal: a follower's death does not touch the leadership.
TEST_F(Fence, FollowerLeavesIsrOnly) {
  fence(3);
  EXPECT_EQ(partition().leader.value(), 1);
  EXPECT_EQ(partition().leader_epoch.value(), 0);
  EXPECT_EQ(partition().partition_epoch, 1);
  EXPECT_EQ(partition().isr, ids({1, 2}));
}

// Goal: the last member stays in the ISR without a leader, and leads again when it is back. Method:
// one after the other dies, with min.insync.replicas=1 so that there is no ELR.
TEST_F(Fence, LastMemberStays) {
  min_isr = "1";
  for (int id : {1, 2, 3}) fence(id);
  EXPECT_EQ(partition().isr, ids({3}));
  EXPECT_TRUE(partition().elr.empty());
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  const auto leader_epoch = partition().leader_epoch;
  reboot(1);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  reboot(3);
  EXPECT_EQ(partition().leader.value(), 3);
  EXPECT_EQ(partition().leader_epoch, leader_epoch + 1);
}

// Goal: with min.insync.replicas=2 whoever was eligible may lead once the ISR is dead: row "last
// replica standing" of KIP-966.
TEST_F(Fence, EligibleReplicaLeads) {
  for (int id : {1, 2, 3}) fence(id);
  EXPECT_EQ(partition().isr, ids({3}));
  EXPECT_EQ(partition().elr, ids({2}));  // 1 left while there were enough
  reboot(1);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  reboot(2);
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().isr, ids({2}));
  EXPECT_EQ(partition().elr, ids({3}));
}

// Goal: who ended uncleanly is not eligible; who is the last member stays what it is, unless
// somebody eligible can take its place.
TEST_F(Fence, UncleanEndLosesEligibility) {
  for (int id : {1, 2, 3}) fence(id);
  boot(2, -1);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  EXPECT_TRUE(partition().elr.empty());
  EXPECT_EQ(partition().isr, ids({3}));
  boot(3, -1);  // what it has is the best there is
  EXPECT_EQ(partition().leader.value(), 3);
}
TEST_F(Fence, UncleanLastMemberYieldsToEligible) {
  for (int id : {1, 2, 3}) fence(id);
  boot(3, -1);
  EXPECT_EQ(partition().isr, ids({2}));
  EXPECT_TRUE(partition().elr.empty());
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  reboot(2);
  EXPECT_EQ(partition().leader.value(), 2);
}

// Goal: the last member in sync that comes back with an empty disk leads nobody: the others would
// cut what they still have to match it. Only an unclean election ends that, and takes who has
// something. Method: broker 3 stays alone in sync, then loses its disk; min.insync.replicas is 1.
TEST_F(Fence, LostDiskOfTheLastMemberLeadsNobody) {
  set_config("t", "min.insync.replicas", "1");
  for (int id : {1, 2}) fence(id);
  ASSERT_EQ(partition().isr, ids({3}));
  fence(3);
  ++disks[3];
  boot(3);
  EXPECT_TRUE(partition().isr_lost);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  EXPECT_EQ(partition().isr, ids({3}));
  boot(3);  // the same empty disk again
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  reboot(2);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  proto::ElectLeadersRequest request;
  request.set_election_type(1);
  request.set_all(true);
  apply(elect_leaders(request, *image, settings).records);
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().isr, ids({2}));
  EXPECT_FALSE(partition().isr_lost);
}

// Goal: a lost disk is a reason to leave the ISR or the ELR, like an unclean end, even under the
// epoch of a clean end (a copied marker); with nobody else there, the empty one may lead in the
// end.
TEST_F(Fence, LostDiskLeavesIsr) {
  ++disks[2];
  reboot(2);
  EXPECT_EQ(partition().isr, ids({1, 3}));
  EXPECT_FALSE(partition().isr_lost);
  for (int id : {1, 3}) fence(id);
  ++disks[1];
  boot(1);
  EXPECT_FALSE(contains(partition().isr, base::BrokerId(1)));
  EXPECT_FALSE(contains(partition().elr, base::BrokerId(1)));
}

// Goal: an unclean process that comes back before its old session ended leaves the ISR that can
// spare it (broker bounces, KIP-841).
TEST_F(Fence, QuickBounceLeavesIsr) {
  enroll(1, -1);
  EXPECT_TRUE(is_fenced(1));
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().isr, ids({2, 3}));
}

// Goal: only a topic that allows it elects a replica that is not known to have everything, and such
// an election empties the ELR.
TEST_F(Fence, UncleanElectionOnlyWhenAllowed) {
  fence(3);
  reboot(3);  // live, not in sync
  fence(1);
  fence(2);
  EXPECT_EQ(partition().leader, meta::kNoBroker);
  EXPECT_EQ(partition().isr, ids({2}));
  set_config("t", "unclean.leader.election.enable", "true");
  EXPECT_EQ(partition().leader.value(), 3);
  EXPECT_EQ(partition().isr, ids({3}));
  EXPECT_TRUE(partition().elr.empty());
}

// Goal: a broker is unfenced only when it has applied its registration.
TEST_F(Fence, UnfencesOnceCaughtUp) {
  const auto epoch = enroll(1, -1);
  proto::HeartbeatRequest request;
  request.set_broker_id(1);
  request.set_broker_epoch(epoch);
  request.set_metadata_offset(epoch - 1);
  auto decision = heartbeat(request, *image, settings);
  EXPECT_TRUE(decision.records.empty());
  EXPECT_TRUE(decision.reply.fenced());
  request.set_metadata_offset(epoch);
  decision = heartbeat(request, *image, settings);
  EXPECT_EQ(decision.records.size(), 1u);
  EXPECT_FALSE(decision.reply.fenced());
}

// Goal: a heartbeat of an unknown broker or an older process is refused.
TEST_F(Fence, HeartbeatNeedsTheEpoch) {
  proto::HeartbeatRequest request;
  request.set_broker_id(9);
  const auto code = [&] {
    const auto decision = heartbeat(request, *image, settings);
    EXPECT_TRUE(decision.records.empty());
    return static_cast<ErrorCode>(decision.reply.error().code());
  };
  EXPECT_EQ(code(), ErrorCode::kBrokerIdNotRegistered);
  request.set_broker_id(1);
  request.set_broker_epoch(epoch_of(1) - 1);
  request.set_metadata_offset(offset);
  EXPECT_EQ(code(), ErrorCode::kStaleBrokerEpoch);
}

// Goal: the lone broker of a small cluster may end at once, and leads all again when it is back.
TEST_F(Fence, LoneBrokerShutsDownAtOnce) {
  fence(2);
  fence(3);
  create_on("one", {{1}});
  const auto reply = beat(1, true);
  EXPECT_TRUE(reply.may_shutdown());
  EXPECT_EQ(reply.leaders_left(), 2);
  EXPECT_EQ(partition("one").leader.value(), 1);
  fence(1);
  EXPECT_EQ(partition("one").leader, meta::kNoBroker);
  reboot(1);
  EXPECT_FALSE(image->broker(base::BrokerId(1))->shutting_down);
  EXPECT_EQ(partition("one").leader.value(), 1);
  EXPECT_EQ(partition("one").leader_epoch.value(), 2);
}

// Goal: a shutdown waits until the others have applied it.
TEST_F(Fence, ShutdownWaitsForOthers) {
  std::int64_t applied = -1;
  std::int64_t began = -1;
  const Sessions sessions{.applied = [&](base::BrokerId) { return applied; },
                          .shutdown_offset = [&](base::BrokerId) { return began; }};
  EXPECT_FALSE(beat(1, true, sessions).may_shutdown());
  began = offset;
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().isr, ids({2, 3}));
  EXPECT_FALSE(beat(1, true, sessions).may_shutdown());
  applied = began;
  EXPECT_TRUE(beat(1, true, sessions).may_shutdown());
  fence(1);
  EXPECT_TRUE(beat(1, true, sessions).may_shutdown());
}

// Goal: a live process is protected from a second one under its id, a silent one is not.
TEST_F(Fence, RefusesSecondProcess) {
  proto::RegisterBrokerRequest request;
  request.set_broker_id(1);
  request.mutable_incarnation()->set_low(5);
  request.set_heartbeats(true);
  auto* listener = request.add_listeners();
  listener->set_name("PLAINTEXT");
  listener->set_host("localhost");
  listener->set_port(9092);
  bool alive = true;
  const Sessions sessions{.alive = [&](base::BrokerId) { return alive; }};
  const auto code = [&] {
    return static_cast<ErrorCode>(
        register_broker(request, *image, settings, sessions).reply.error().code());
  };
  EXPECT_EQ(code(), ErrorCode::kDuplicateBrokerRegistration);
  alive = false;
  EXPECT_EQ(code(), ErrorCode::kNone);
  alive = true;
  fence(1);
  EXPECT_EQ(code(), ErrorCode::kNone);
}

// Goal: registering again as the same process answers the same epoch and changes nothing.
TEST_F(Fence, SameProcessKeepsItsEpoch) {
  const auto epoch = enroll(1, -1);
  proto::RegisterBrokerRequest request;
  request.set_broker_id(1);
  request.mutable_incarnation()->set_low(incarnations);
  request.set_heartbeats(true);
  auto* listener = request.add_listeners();
  listener->set_name("PLAINTEXT");
  listener->set_host("localhost");
  listener->set_port(9092);
  const auto decision = register_broker(request, *image, settings);
  EXPECT_TRUE(decision.records.empty());
  EXPECT_EQ(decision.reply.broker_epoch(), epoch);
}

}  // namespace
}  // namespace controller::cluster
