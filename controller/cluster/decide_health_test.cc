#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

class Health : public Decide {
 protected:
  Health() {
    for (int id : {1, 2, 3}) boot(id);
  }
  bool may(int id) {
    proto::MayRestartRequest request;
    request.set_broker_id(id);
    const auto reply = may_restart(request, *image, settings).reply;
    EXPECT_EQ(reply.yes(), reply.reasons().empty());
    return reply.yes();
  }
  // Kinds in order of telling.
  std::vector<int> kinds() {
    std::vector<int> out;
    health = cluster_health({}, *image, settings).reply;
    for (const auto& each : health.findings()) {
      EXPECT_FALSE(each.message().empty());
      out.push_back(each.kind());
    }
    return out;
  }
  proto::ClusterHealthReply health;
};

// Goal: a broker may restart exactly while min.insync.replicas hold without it.
TEST_F(Health, MayRestartWhileEnoughStay) {
  create_on("t", {{1, 2, 3}});
  EXPECT_TRUE(may(1));
  ASSERT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNone);
  EXPECT_FALSE(may(1));
  EXPECT_FALSE(may(2));
  EXPECT_TRUE(may(3));  // it is not in sync: nothing is lost
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  EXPECT_FALSE(may(1));
  EXPECT_FALSE(may(3));  // it is to catch up first
  proto::MayRestartRequest request;
  request.set_broker_id(9);
  EXPECT_NE(may_restart(request, *image, settings).reply.error().code(), 0);
}

// Goal: where waiting gains nothing, it is not asked for.
TEST_F(Health, MayRestartWhereUnavoidable) {
  create_on("one", {{1}});
  create_on("two", {{2, 3}});
  EXPECT_TRUE(may(1));
  EXPECT_TRUE(may(2));
  ASSERT_EQ(alter_isr(isr_request({2}, "two")), ErrorCode::kNone);
  EXPECT_FALSE(may(2));  // the only one in sync
  EXPECT_FALSE(may(3));
}

// Goal: a partition whose last copy in sync is lost is told apart from one whose brokers are away:
// starting them does not help.
TEST_F(Health, TellsALostDisk) {
  create_on("alone", {{1}});
  ++disks[1];
  boot(1);
  const auto reply = cluster_health({}, *image, settings).reply;
  ASSERT_EQ(reply.findings_size(), 1);
  EXPECT_EQ(reply.findings(0).kind(), proto::FINDING_KIND_OFFLINE);
  EXPECT_NE(reply.findings(0).message().find("another disk, on broker 1"), std::string::npos)
      << reply.findings(0).message();
  EXPECT_FALSE(reply.healthy());
}

// Goal: each state of a cluster is told, the worst first.
TEST_F(Health, TellsWhatIsWrong) {
  create_on("t", {{1, 2, 3}});
  EXPECT_TRUE(kinds().empty());
  EXPECT_TRUE(health.healthy());
  EXPECT_EQ(health.brokers_live(), 3);
  ASSERT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNone);
  EXPECT_EQ(kinds(), (std::vector<int>{proto::FINDING_KIND_UNDER_REPLICATED}));
  EXPECT_FALSE(health.healthy());
  fence(1);
  EXPECT_EQ(kinds(),
            (std::vector<int>{proto::FINDING_KIND_UNDER_MIN_ISR, proto::FINDING_KIND_BROKER_FENCED,
                              proto::FINDING_KIND_LEADER_NOT_PREFERRED}));
  fence(2);
  EXPECT_EQ(kinds().front(), proto::FINDING_KIND_OFFLINE);
  EXPECT_EQ(health.findings(0).count(), 1);
  EXPECT_EQ(health.findings(0).partitions(0).topic(), "t");
  EXPECT_NE(health.findings(0).message().find("2"), std::string::npos);
  EXPECT_EQ(health.brokers_live(), 1);
}

// Goal: a partition with fewer replicas than min.insync.replicas cannot be written with acks=all
// while it moves, as leaders count what is added (and Kafka's do): that is told, with the move as
// its reason and no broker to look at; afterwards all is well. Method: one replica, two wanted.
TEST_F(Health, TellsWhatCannotBeWrittenWhileItMoves) {
  min_isr = "2";
  create_on("t", {{1}});
  EXPECT_TRUE(kinds().empty());
  proto::DrainBrokerRequest request;
  request.set_broker_id(1);
  apply(drain_broker(request, *image, settings).records);
  apply(drain_step(*image, settings));
  ASSERT_EQ(kinds().front(), proto::FINDING_KIND_UNDER_MIN_ISR);
  EXPECT_NE(health.findings(0).message().find("while being moved"), std::string::npos);
  EXPECT_EQ(health.findings(0).message().find("Look at"), std::string::npos);
  const auto& moving = image->topic("t")->partitions.front();
  ASSERT_EQ(moving.adding.size(), 1u);
  alter_isr(isr_request({1, moving.adding.front().value()}));
  EXPECT_EQ(kinds(), (std::vector<int>{proto::FINDING_KIND_BROKER_DRAINING}));
}

// Goal: drains and reassignments are told, but are no illness.
TEST_F(Health, TellsWhatIsUnderWay) {
  create_on("t", {{1, 2}});
  proto::DrainBrokerRequest request;
  request.set_broker_id(1);
  apply(drain_broker(request, *image, settings).records);
  apply(drain_step(*image, settings));
  EXPECT_EQ(kinds(),
            (std::vector<int>{proto::FINDING_KIND_BROKER_DRAINING, proto::FINDING_KIND_REASSIGNING,
                              proto::FINDING_KIND_LEADER_NOT_PREFERRED}));
  EXPECT_TRUE(health.healthy());
}

}  // namespace
}  // namespace controller::cluster
