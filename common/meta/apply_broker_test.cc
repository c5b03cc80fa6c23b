// Records about brokers that come and go, and about replicas that move.
#include <gtest/gtest.h>

#include "common/meta/apply.h"

namespace meta {
namespace {

constexpr base::BrokerId kThree{3};

ApplyResult<Step> apply_one(const ImagePtr& base, std::int64_t offset,
                            const proto::Record& record) {
  proto::RecordBatch batch;
  *batch.add_records() = record;
  return apply_entry(base, base::Offset(offset), 1, batch.SerializeAsString());
}

ImagePtr registered() {
  proto::Record record;
  record.mutable_broker()->set_broker_id(kThree.value());
  record.mutable_broker()->set_fenced(true);
  record.mutable_broker()->set_heartbeats(true);
  record.mutable_broker()->set_rack("r");
  return apply_one(std::make_shared<const Image>(), 7, record)->image;
}

proto::Record change(std::int64_t epoch) {
  proto::Record record;
  record.mutable_broker_change()->set_broker_id(kThree.value());
  record.mutable_broker_change()->set_broker_epoch(epoch);
  return record;
}

// Goal: a change touches what it names and nothing else, and the delta says who changed.
TEST(ApplyBroker, ChangesWhatIsNamed) {
  const ImagePtr before = registered();
  EXPECT_FALSE(before->broker(kThree)->live());
  auto record = change(7);
  record.mutable_broker_change()->set_fenced(false);
  auto step = apply_one(before, 8, record);
  ASSERT_TRUE(step.has_value());
  EXPECT_TRUE(step->image->broker(kThree)->live());
  EXPECT_EQ(step->image->broker(kThree)->epoch, base::BrokerEpoch(7));
  EXPECT_EQ(step->image->broker(kThree)->rack, "r");
  EXPECT_EQ(step->delta.brokers, (std::set{kThree}));
  EXPECT_TRUE(before->broker(kThree)->fenced);
  record = change(7);
  record.mutable_broker_change()->set_shutting_down(true);
  record.mutable_broker_change()->set_draining(true);
  step = apply_one(step->image, 9, record);
  EXPECT_FALSE(step->image->broker(kThree)->fenced);
  EXPECT_TRUE(step->image->broker(kThree)->shutting_down);
  EXPECT_TRUE(step->image->broker(kThree)->draining);
  EXPECT_FALSE(step->image->broker(kThree)->live());
}

// Goal: silence belongs to being fenced: it comes with it, outlives other changes and goes with it.
TEST(ApplyBroker, SilentOnlyWhileFenced) {
  auto record = change(7);
  record.mutable_broker_change()->set_fenced(true);
  record.mutable_broker_change()->set_silent(true);
  auto step = apply_one(registered(), 8, record);
  ASSERT_TRUE(step.has_value());
  EXPECT_TRUE(step->image->broker(kThree)->silent);
  record = change(7);
  record.mutable_broker_change()->set_draining(true);
  step = apply_one(step->image, 9, record);
  EXPECT_TRUE(step->image->broker(kThree)->silent);
  record = change(7);
  record.mutable_broker_change()->set_fenced(false);
  step = apply_one(step->image, 10, record);
  EXPECT_FALSE(step->image->broker(kThree)->silent);
}

// Goal: a change that was meant for an earlier process does nothing, one of an unknown broker is
// damage.
TEST(ApplyBroker, ChangeIsForOneProcess) {
  auto record = change(6);
  record.mutable_broker_change()->set_fenced(false);
  auto step = apply_one(registered(), 8, record);
  ASSERT_TRUE(step.has_value());
  EXPECT_TRUE(step->image->broker(kThree)->fenced);
  EXPECT_TRUE(step->delta.empty());
  EXPECT_FALSE(apply_one(std::make_shared<const Image>(), 1, record).has_value());
}

// Goal: a removed broker is gone, once.
TEST(ApplyBroker, RemovesOnce) {
  proto::Record record;
  record.mutable_remove_broker()->set_broker_id(kThree.value());
  auto step = apply_one(registered(), 8, record);
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->image->broker(kThree), nullptr);
  EXPECT_EQ(step->delta.brokers, (std::set{kThree}));
  EXPECT_FALSE(apply_one(step->image, 9, record).has_value());
}

// Goal: a reassignment is kept, ended by empty lists, and like a broker's flags survives a
// snapshot.
TEST(ApplyBroker, ReassignmentsAndFlagsSurviveSnapshots) {
  const base::Uuid id{1, 2};
  proto::RecordBatch batch;
  batch.add_records()->mutable_topic()->set_name("t");
  to_proto(id, batch.mutable_records(0)->mutable_topic()->mutable_topic_id());
  auto* partition = batch.add_records()->mutable_partition();
  to_proto(id, partition->mutable_topic_id());
  for (int replica : {1, 2, 3}) partition->add_replicas(replica);
  partition->add_isr(1);
  partition->add_elr(2);
  auto* flags = batch.add_records()->mutable_broker();
  flags->set_broker_id(3);
  flags->set_draining(true);
  flags->set_shutting_down(true);
  flags->set_heartbeats(true);
  to_proto(base::Uuid{7, 8}, flags->add_directory_ids());
  auto* moved = batch.add_records()->mutable_partition_change();
  to_proto(id, moved->mutable_topic_id());
  moved->mutable_adding()->add_ids(3);
  moved->mutable_removing()->add_ids(1);
  moved->set_isr_lost(true);
  batch.add_records()->mutable_balancing()->set_active(true);
  auto step =
      apply_entry(std::make_shared<const Image>(), base::Offset(5), 1, batch.SerializeAsString());
  ASSERT_TRUE(step.has_value()) << step.error();
  const Partition& now = *step->image->partition("t", 0);
  EXPECT_EQ(now.adding, (std::vector{base::BrokerId(3)}));
  EXPECT_EQ(now.removing, (std::vector{base::BrokerId(1)}));
  EXPECT_EQ(now.leader_epoch, base::LeaderEpoch(0));
  EXPECT_TRUE(now.isr_lost);
  EXPECT_EQ(step->image->broker(kThree)->directories, (std::vector{base::Uuid{7, 8}}));
  auto again = from_snapshot(to_snapshot(*step->image));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(*(*again)->partition("t", 0) == now);
  EXPECT_TRUE((*again)->balancing());
  EXPECT_TRUE(*(*again)->broker(kThree) == *step->image->broker(kThree));
  proto::Record ended;
  to_proto(id, ended.mutable_partition_change()->mutable_topic_id());
  ended.mutable_partition_change()->mutable_adding();
  ended.mutable_partition_change()->mutable_removing();
  step = apply_one(step->image, 6, ended);
  EXPECT_TRUE(step->image->partition("t", 0)->adding.empty());
  EXPECT_TRUE(step->image->partition("t", 0)->removing.empty());
  EXPECT_EQ(step->image->partition("t", 0)->partition_epoch, 2);
}

}  // namespace
}  // namespace meta
