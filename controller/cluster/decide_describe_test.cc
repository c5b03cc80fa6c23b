#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

class Describe : public Decide {
 protected:
  Describe() {
    boot(1, -1, "a");
    boot(2, -1, "b");
    boot(3, -1, "c");
  }
};

// Goal: a topic is told as it is, one that is not there by its name with an error, in the order of
// the request.
TEST_F(Describe, Topics) {
  create_on("t", {{1, 2}, {2, 3}});
  set_config("t", "retention.ms", "5");
  ASSERT_EQ(alter_isr(isr_request({1})), ErrorCode::kNone);
  proto::DescribeTopicsRequest request;
  request.add_names("nowhere");
  request.add_names("t");
  const auto out = describe_topics(request, *image);
  EXPECT_TRUE(out.records.empty());
  ASSERT_EQ(out.reply.topics_size(), 2);
  EXPECT_EQ(out.reply.topics(0).name(), "nowhere");
  EXPECT_EQ(out.reply.topics(0).error().code(),
            static_cast<int>(ErrorCode::kUnknownTopicOrPartition));
  const auto& topic = out.reply.topics(1);
  EXPECT_FALSE(topic.has_error());
  EXPECT_EQ(meta::from_proto(topic.topic_id()), image->topic("t")->id);
  ASSERT_EQ(topic.partitions_size(), 2);
  EXPECT_EQ(topic.partitions(0).leader(), 1);
  EXPECT_EQ(topic.partitions(0).replicas_size(), 2);
  EXPECT_EQ(topic.partitions(0).isr_size(), 1);
  EXPECT_EQ(topic.partitions(1).replicas(0), 2);
  ASSERT_EQ(topic.configs_size(), 1);
  EXPECT_EQ(topic.configs(0).key(), "retention.ms");
  EXPECT_EQ(topic.configs(0).value(), "5");

  create_on("a", {{3}});
  proto::DescribeTopicsRequest all;
  all.set_all(true);
  const auto every = describe_topics(all, *image).reply;
  ASSERT_EQ(every.topics_size(), 2);
  EXPECT_EQ(every.topics(0).name(), "a");
}

// Goal: a request beyond the bound is refused as a whole.
TEST_F(Describe, RefusesTooManyTopics) {
  proto::DescribeTopicsRequest request;
  for (int i = 0; i <= kDescribedTopicsMax; ++i) request.add_names("t");
  const auto out = describe_topics(request, *image).reply;
  EXPECT_EQ(out.error().code(), static_cast<int>(ErrorCode::kPolicyViolation));
  EXPECT_EQ(out.topics_size(), 0);
}

// Goal: brokers are told with what they hold and how they are; the cluster by its id.
TEST_F(Describe, Cluster) {
  create_on("t", {{1, 2}, {2, 3}});
  fence(3);
  proto::DrainBrokerRequest drain;
  drain.set_broker_id(2);
  apply(drain_broker(drain, *image, settings).records);
  const auto out = describe_cluster({}, *image).reply;
  EXPECT_EQ(meta::from_proto(out.cluster_id()), (base::Uuid{1, 1}));
  ASSERT_EQ(out.brokers_size(), 3);
  EXPECT_EQ(out.brokers(0).id(), 1);
  EXPECT_EQ(out.brokers(0).rack(), "a");
  EXPECT_EQ(out.brokers(0).replicas(), 1);
  EXPECT_EQ(out.brokers(0).leaders(), 1);
  EXPECT_EQ(out.brokers(1).replicas(), 2);
  EXPECT_TRUE(out.brokers(1).draining());
  EXPECT_FALSE(out.brokers(1).fenced());
  EXPECT_TRUE(out.brokers(2).fenced());
  EXPECT_EQ(out.brokers(2).epoch(), epoch_of(3));
  EXPECT_GT(out.features_size(), 0);
}

}  // namespace
}  // namespace controller::cluster
