#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

class AlterPartition : public Decide {
 protected:
  AlterPartition() {
    for (int id : {1, 2, 3}) boot(id);
    create_on("t", {{1, 2, 3}});
  }

  struct Row {
    const char* what;
    ErrorCode code;
    std::function<void(proto::AlterPartitionRequest&)> spoil;
  };
  // Requests of broker 2, spoiled one by one; broker 3 is fenced.
  std::vector<Row> rows() const {
    static const auto part = [](proto::AlterPartitionRequest& r) {
      return r.mutable_partitions(0);
    };
    return {
        {"other broker epoch", ErrorCode::kStaleBrokerEpoch,
         [&](auto& r) { r.set_broker_epoch(r.broker_epoch() - 1); }},
        {"unknown broker", ErrorCode::kStaleBrokerEpoch, [&](auto& r) { r.set_broker_id(9); }},
        {"unknown topic", ErrorCode::kUnknownTopicId,
         [&](auto& r) { part(r)->mutable_topic_id()->set_high(77); }},
        {"unknown partition", ErrorCode::kUnknownTopicOrPartition,
         [&](auto& r) { part(r)->set_partition(1); }},
        {"negative partition", ErrorCode::kUnknownTopicOrPartition,
         [&](auto& r) { part(r)->set_partition(-1); }},
        {"newer leader epoch", ErrorCode::kNotController,
         [&](auto& r) { part(r)->set_leader_epoch(part(r)->leader_epoch() + 1); }},
        {"newer partition epoch", ErrorCode::kNotController,
         [&](auto& r) { part(r)->set_partition_epoch(part(r)->partition_epoch() + 1); }},
        {"older leader epoch", ErrorCode::kFencedLeaderEpoch,
         [&](auto& r) { part(r)->set_leader_epoch(part(r)->leader_epoch() - 1); }},
        {"older partition epoch", ErrorCode::kInvalidUpdateVersion,
         [&](auto& r) { part(r)->set_partition_epoch(part(r)->partition_epoch() - 1); }},
        {"not the leader", ErrorCode::kInvalidRequest,
         [&](auto& r) {
           r.set_broker_id(1);
           r.set_broker_epoch(epoch_of(1));
         }},
        {"not a replica", ErrorCode::kInvalidRequest,
         [&](auto& r) { part(r)->add_isr()->set_broker_id(4); }},
        {"twice", ErrorCode::kInvalidRequest,
         [&](auto& r) { *part(r)->add_isr() = part(r)->isr(0); }},
        {"without the leader", ErrorCode::kInvalidRequest,
         [&](auto& r) { part(r)->mutable_isr()->DeleteSubrange(0, 1); }},
        {"empty", ErrorCode::kInvalidRequest, [&](auto& r) { part(r)->clear_isr(); }},
        {"stale member epoch", ErrorCode::kIneligibleReplica,
         [&](auto& r) { part(r)->mutable_isr(1)->set_broker_epoch(epoch_of(1) - 1); }},
        {"a new member nobody heard from", ErrorCode::kIneligibleReplica,
         [&](auto& r) { part(r)->mutable_isr(1)->set_broker_epoch(-1); }},
        {"fenced member", ErrorCode::kIneligibleReplica,
         [&](auto& r) {
           auto* member = part(r)->add_isr();
           member->set_broker_id(3);
           member->set_broker_epoch(epoch_of(3));
         }},
    };
  }
};

// Goal: the leader shrinks and grows its ISR; each change raises the partition epoch, none the
// leader epoch.
TEST_F(AlterPartition, ShrinksAndGrows) {
  EXPECT_EQ(alter_isr(isr_request({1, 3})), ErrorCode::kNone) << last_message;
  EXPECT_EQ(partition().isr, ids({1, 3}));
  EXPECT_EQ(partition().partition_epoch, 1);
  EXPECT_EQ(partition().leader_epoch.value(), 0);
  EXPECT_EQ(alter_isr(isr_request({1, 3, 2})), ErrorCode::kNone);
  EXPECT_EQ(partition().isr, ids({1, 3, 2}));
  EXPECT_EQ(partition().partition_epoch, 2);
}

// Goal: the reply tells the state that follows, also when nothing changed.
TEST_F(AlterPartition, RepliesWithState) {
  auto reply = alter_partition(isr_request({1, 2}), *image, settings).reply.partitions(0);
  EXPECT_EQ(reply.leader(), 1);
  EXPECT_EQ(reply.partition_epoch(), 1);
  EXPECT_EQ(reply.isr_size(), 2);
  const auto same = alter_partition(isr_request({1, 2, 3}), *image, settings);
  EXPECT_TRUE(same.records.empty());
  EXPECT_EQ(same.reply.partitions(0).error().code(), 0);
  EXPECT_EQ(same.reply.partitions(0).partition_epoch(), 0);
}

// Goal: every refusal of the whole table; a refused request changes nothing.
TEST_F(AlterPartition, Refuses) {
  // An election and a change have happened, so that there are older epochs.
  fence(1);
  boot(1, epoch_of(1));
  ASSERT_EQ(partition().leader.value(), 2);
  enroll(3);  // registered anew: fenced
  const auto before = offset;
  for (const Row& row : rows()) {
    auto request = isr_request({2, 1});
    row.spoil(request);
    EXPECT_EQ(alter_isr(request), row.code) << row.what << ": " << last_message;
    EXPECT_EQ(offset, before) << row.what;
  }
  EXPECT_EQ(alter_isr(isr_request({2, 1})), ErrorCode::kNone);
}

// Goal: a partition named twice is decided once.
TEST_F(AlterPartition, RefusesPartitionNamedTwice) {
  auto request = isr_request({1, 2});
  *request.add_partitions() = request.partitions(0);
  const auto decision = alter_partition(request, *image, settings);
  EXPECT_EQ(decision.records.size(), 1u);
  EXPECT_EQ(decision.reply.partitions(1).error().code(),
            static_cast<int>(ErrorCode::kInvalidRequest));
}

// Goal: a new leader may name members that it has not heard from yet, if they are members already.
TEST_F(AlterPartition, KeepsMembersUnheard) {
  auto request = isr_request({1, 2});
  request.mutable_partitions(0)->mutable_isr(1)->set_broker_epoch(-1);
  EXPECT_EQ(alter_isr(request), ErrorCode::kNone) << last_message;
}

// Goal: who is shutting down joins no ISR.
TEST_F(AlterPartition, RefusesMemberInShutdown) {
  ASSERT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNone);
  beat(3, true);
  EXPECT_EQ(alter_isr(isr_request({1, 2, 3})), ErrorCode::kIneligibleReplica);
}

// Goal: the last member leads through its own shutdown until somebody joins; that one leads then,
// and the old leader is told.
TEST_F(AlterPartition, HandsOverInShutdown) {
  min_isr = "1";
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  auto reply = beat(1, true);
  EXPECT_FALSE(reply.may_shutdown());
  EXPECT_EQ(reply.leaders_left(), 1);
  ASSERT_EQ(partition().leader.value(), 1);
  EXPECT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(partition().leader.value(), 2);
  EXPECT_EQ(partition().isr, ids({2}));
  EXPECT_TRUE(partition().elr.empty());
  EXPECT_TRUE(beat(1, true).may_shutdown());
}

// Goal: below min.insync.replicas the one who leaves is kept in the ELR; it is empty again as soon
// as there are enough.
TEST_F(AlterPartition, KeepsElrBelowMinIsr) {
  ASSERT_EQ(alter_isr(isr_request({1, 2})), ErrorCode::kNone);
  EXPECT_TRUE(partition().elr.empty());
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  EXPECT_EQ(partition().elr, ids({2}));
  ASSERT_EQ(alter_isr(isr_request({1, 3})), ErrorCode::kNone);
  EXPECT_TRUE(partition().elr.empty());
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  EXPECT_EQ(partition().elr, ids({3}));
}

// Goal: the ELR says nothing under another min.insync.replicas.
TEST_F(AlterPartition, OtherMinIsrClearsElr) {
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  EXPECT_EQ(partition().elr, ids({2, 3}));
  set_config("t", "retention.ms", "5");
  EXPECT_EQ(partition().elr, ids({2, 3}));
  set_config("t", "min.insync.replicas", "1");
  EXPECT_TRUE(partition().elr.empty());
  EXPECT_EQ(partition().leader_epoch.value(), 0);
}

}  // namespace
}  // namespace controller::cluster
