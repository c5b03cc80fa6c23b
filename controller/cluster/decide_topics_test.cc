#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

// Goal: the names that Kafka accepts, and no others.
TEST_F(Decide, ChecksTopicNames) {
  add_broker(1);
  for (const char* good : {"a", "A.b-c_9", "...", "-"}) {
    EXPECT_EQ(create(create_request(good)), ErrorCode::kNone) << good;
  }
  EXPECT_EQ(create(create_request(std::string(249, 'x'))), ErrorCode::kNone);
  EXPECT_EQ(create(create_request(std::string(250, 'x'))), ErrorCode::kInvalidTopicException);
  for (const char* bad : {"", ".", "..", "a b", "a/b", "ä", "a\n", "a,b"}) {
    EXPECT_EQ(create(create_request(bad)), ErrorCode::kInvalidTopicException) << bad;
  }
  EXPECT_EQ(create(create_request("__cluster_metadata")), ErrorCode::kTopicAuthorizationFailed);
}

// Goal: names that differ only in '.' and '_' exclude each other: with what exists, within one
// request, and no longer once the other is deleted.
TEST_F(Decide, RefusesCollidingNames) {
  add_broker(1);
  EXPECT_EQ(create(create_request("a.b_c")), ErrorCode::kNone);
  EXPECT_EQ(create(create_request("a_b.c")), ErrorCode::kInvalidTopicException);
  EXPECT_NE(last_message.find("a.b_c"), std::string::npos);
  proto::CreateTopicsRequest request = create_request("x.y");
  add_topic(request, "x_y");
  auto decision = create_topics(request, *image, settings, random);
  EXPECT_EQ(decision.reply.topics(0).error().code(), 0);
  EXPECT_EQ(decision.reply.topics(1).error().code(),
            static_cast<int>(ErrorCode::kInvalidTopicException));
  apply(decision.records);
  proto::DeleteTopicsRequest removal;
  removal.add_topics()->set_name("a.b_c");
  apply(delete_topics(removal, *image).records);
  EXPECT_EQ(create(create_request("a_b.c")), ErrorCode::kNone);
}

// Goal: counts and factors, with the number of brokers in the message.
TEST_F(Decide, ChecksPartitionsAndReplicationFactor) {
  add_broker(1);
  EXPECT_EQ(create(create_request("a", 0, 1)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(create(create_request("a", -2, 1)), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(create(create_request("a", 1, 0)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(create(create_request("a", 1, -2)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(create(create_request("a", 1, 3)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_NE(last_message.find("3"), std::string::npos);
  EXPECT_NE(last_message.find("draining: 1."), std::string::npos);
  EXPECT_EQ(create(create_request("a", 10'001, 1)), ErrorCode::kPolicyViolation);
  EXPECT_EQ(image->topics().size(), 0u);
  EXPECT_EQ(create(create_request("a", 3, 1)), ErrorCode::kNone);
  EXPECT_EQ(create(create_request("a", 3, 1)), ErrorCode::kTopicAlreadyExists);
  EXPECT_EQ(image->topic("a")->partitions.size(), 3u);
  EXPECT_EQ(image->partition("a", 2)->leader, base::BrokerId(1));
}

// Goal: without a live broker nothing can be placed.
TEST_F(Decide, NeedsABroker) {
  EXPECT_EQ(create(create_request("a", -1, -1)), ErrorCode::kInvalidReplicationFactor);
  EXPECT_NE(last_message.find("draining: 0."), std::string::npos);
}

// Goal: while brokers are restarted a topic can be made with replicas on those that are away: they
// are not in sync and do not lead. A broker that drains is none of them, and nothing is placed
// where nobody is there. Method: of three brokers one, then all are fenced; one drains.
TEST_F(Decide, PlacesOnBrokersThatAreAwayWhenItMust) {
  for (int id : {1, 2, 3}) boot(id);
  fence(2);
  ASSERT_EQ(create(create_request("a", 6, 3)), ErrorCode::kNone);
  for (const auto& partition : image->topic("a")->partitions) {
    EXPECT_EQ(partition.replicas.size(), 3u);
    EXPECT_EQ(partition.isr.size(), 2u);
    EXPECT_NE(partition.leader.value(), 2);
    EXPECT_NE(partition.leader, meta::kNoBroker);
  }
  ASSERT_EQ(create(create_request("b", 6, 2)), ErrorCode::kNone);
  for (const auto& partition : image->topic("b")->partitions) EXPECT_EQ(partition.isr.size(), 2u);
  EXPECT_EQ(create(create_request("c", 1, 4)), ErrorCode::kInvalidReplicationFactor);
  boot(2);
  proto::DrainBrokerRequest drain;
  drain.set_broker_id(3);
  apply(drain_broker(drain, *image, settings).records);
  EXPECT_EQ(create(create_request("d", 1, 3)), ErrorCode::kInvalidReplicationFactor);
  for (int id : {1, 2, 3}) fence(id);
  EXPECT_EQ(create(create_request("e", 1, 1)), ErrorCode::kInvalidReplicationFactor);
}

// Goal: -1 takes the defaults: configured ones, else three replicas or as many as there are
// brokers.
TEST_F(Decide, TakesDefaults) {
  settings.default_partitions = 4;
  for (std::int32_t id = 1; id <= 5; ++id) {
    add_broker(id);
    const std::string name = "t" + std::to_string(id);
    EXPECT_EQ(create(create_request(name, -1, -1)), ErrorCode::kNone);
    EXPECT_EQ(image->topic(name)->partitions.size(), 4u);
    EXPECT_EQ(image->partition(name, 0)->replicas.size(),
              std::min<std::size_t>(3, static_cast<std::size_t>(id)));
  }
  settings.default_replication_factor = 1;
  EXPECT_EQ(create(create_request("one", -1, -1)), ErrorCode::kNone);
  EXPECT_EQ(image->partition("one", 0)->replicas.size(), 1u);
}

// Goal: every mistake in a manual assignment has its code; a right one is taken as it is.
TEST_F(Decide, ChecksManualAssignments) {
  add_broker(1);
  add_broker(2);
  using Assignments = std::vector<std::pair<int, std::vector<int>>>;
  const auto with = [&](const Assignments& assignments, int partitions = -1, int factor = -1) {
    auto request = create_request("a", partitions, factor);
    for (const auto& [partition, replicas] : assignments) {
      auto* each = request.mutable_topics(0)->add_assignments();
      each->set_partition(partition);
      for (int id : replicas) each->add_replicas(id);
    }
    return create(request);
  };
  EXPECT_EQ(with({{0, {1}}}, 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(with({{0, {1}}}, -1, 1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(with({{0, {}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{0, {1, 1}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{0, {7}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{0, {1}}, {0, {2}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{0, {1}}, {2, {2}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{1, {1}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{0, {1, 2}}, {1, {2}}}), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(with({{1, {2, 1}}, {0, {1, 2}}}), ErrorCode::kNone);
  EXPECT_EQ(image->partition("a", 1)->leader, base::BrokerId(2));
  EXPECT_EQ(image->partition("a", 1)->isr.size(), 2u);
}

// Goal: configs are judged with the topic; a refused topic does not take the others with it; a name
// given twice is refused once; validate_only changes nothing.
TEST_F(Decide, JudgesEachTopicOfARequest) {
  add_broker(1);
  auto request = create_request("good");
  auto* bad = add_topic(request, "bad")->add_configs();
  bad->set_key("bad");
  bad->set_value("1");
  add_topic(request, "null")->add_configs()->set_key("k");
  add_topic(request, "twice");
  add_topic(request, "twice");
  auto* config = request.mutable_topics(0)->add_configs();
  config->set_key("retention.ms");
  config->set_value("9");
  request.set_validate_only(true);
  EXPECT_TRUE(create_topics(request, *image, settings, random).records.empty());
  request.set_validate_only(false);
  auto decision = create_topics(request, *image, settings, random);
  ASSERT_EQ(decision.reply.topics_size(), 4);
  EXPECT_EQ(decision.reply.topics(0).error().code(), 0);
  EXPECT_EQ(decision.reply.topics(1).error().code(), static_cast<int>(ErrorCode::kInvalidConfig));
  EXPECT_EQ(decision.reply.topics(2).error().code(), static_cast<int>(ErrorCode::kInvalidConfig));
  EXPECT_EQ(decision.reply.topics(3).error().code(), static_cast<int>(ErrorCode::kInvalidRequest));
  apply(decision.records);
  EXPECT_EQ(image->topics().size(), 1u);
  EXPECT_EQ(image->topic("good")->configs.at("retention.ms"), "9");
}

// Goal: deletion by name and by id, of the unknown, and of one named twice.
TEST_F(Decide, DeletesTopics) {
  add_broker(1);
  create(create_request("a"));
  create(create_request("b"));
  create(create_request("c"));
  const auto codes = [&](const proto::DeleteTopicsRequest& request) {
    auto decision = delete_topics(request, *image);
    if (!decision.records.empty()) apply(decision.records);
    std::vector<int> out;
    for (const auto& each : decision.reply.topics()) out.push_back(each.error().code());
    return out;
  };
  proto::DeleteTopicsRequest request;
  request.add_topics()->set_name("a");
  meta::to_proto(image->topic("b")->id, request.add_topics()->mutable_topic_id());
  request.add_topics()->set_name("nobody");
  request.add_topics()->mutable_topic_id()->set_low(9);
  EXPECT_EQ(codes(request), (std::vector<int>{0, 0, 3, 100}));
  EXPECT_EQ(image->topics().size(), 1u);
  proto::DeleteTopicsRequest twice;
  twice.add_topics()->set_name("c");
  meta::to_proto(image->topic("c")->id, twice.add_topics()->mutable_topic_id());
  EXPECT_EQ(codes(twice), (std::vector<int>{42, 42}));
  EXPECT_NE(image->topic("c"), nullptr);
}

// Goal: partitions only grow, with the topic's replication factor or a right manual assignment.
TEST_F(Decide, CreatesPartitions) {
  add_broker(1);
  add_broker(2);
  create(create_request("a", 2, 2));
  const auto grow = [&](const std::string& name, int count, int assignments = -1,
                        bool validate = false) {
    proto::CreatePartitionsRequest request;
    request.set_validate_only(validate);
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_count(count);
    topic->set_has_assignments(assignments >= 0);
    for (int i = 0; i < assignments; ++i) {
      auto* ids = topic->add_assignments();
      ids->add_ids(2);
      ids->add_ids(1);
    }
    auto decision = create_partitions(request, *image, random);
    if (!decision.records.empty()) apply(decision.records);
    return static_cast<ErrorCode>(decision.reply.topics(0).error().code());
  };
  EXPECT_EQ(grow("nobody", 3), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(grow("a", 2), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(grow("a", 1), ErrorCode::kInvalidPartitions);
  EXPECT_EQ(grow("a", 20'000), ErrorCode::kPolicyViolation);
  EXPECT_EQ(grow("a", 4, 1), ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(grow("a", 4, -1, true), ErrorCode::kNone);
  EXPECT_EQ(image->topic("a")->partitions.size(), 2u);
  EXPECT_EQ(grow("a", 4), ErrorCode::kNone);
  EXPECT_EQ(grow("a", 5, 1), ErrorCode::kNone);
  EXPECT_EQ(image->topic("a")->partitions.size(), 5u);
  EXPECT_EQ(image->partition("a", 3)->replicas.size(), 2u);
  EXPECT_EQ(image->partition("a", 4)->leader, base::BrokerId(2));
}

}  // namespace
}  // namespace controller::cluster
