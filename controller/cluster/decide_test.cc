#include "controller/cluster/decide.h"

#include <gtest/gtest.h>

#include <set>

#include "common/meta/apply.h"
#include "common/meta/features.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

// A cluster that applies what is decided, as the controller does.
class Decide : public testing::Test {
 protected:
  Decide() {
    apply(bootstrap({1, 1}));
    settings.config_rules.validate =
        [](proto::ConfigResource, const meta::Configs& configs) -> std::optional<std::string> {
      if (configs.contains("bad")) return "Unknown config bad";
      return std::nullopt;
    };
    settings.config_rules.is_list = [](auto, std::string_view key) { return key == "list"; };
    settings.config_rules.default_value = [](auto, std::string_view key) {
      return key == "list" ? std::string("delete") : std::string();
    };
  }

  std::int64_t apply(const std::vector<proto::Record>& records) {
    proto::RecordBatch batch;
    for (const auto& each : records) *batch.add_records() = each;
    auto step = meta::apply_entry(image, base::Offset(++offset), 1, batch.SerializeAsString());
    EXPECT_TRUE(step.has_value()) << (step ? "" : step.error());
    image = step->image;
    return offset;
  }
  void add_broker(std::int32_t id, const std::string& rack = "") {
    proto::RegisterBrokerRequest request;
    request.set_broker_id(id);
    request.set_rack(rack);
    request.mutable_incarnation()->set_low(static_cast<std::uint64_t>(100 + id));
    auto* listener = request.add_listeners();
    listener->set_name("PLAINTEXT");
    listener->set_host("localhost");
    listener->set_port(9092);
    apply(register_broker(request, *image).records);
  }
  static proto::CreateTopicsRequest create_request(const std::string& name, int partitions = 1,
                                                   int factor = -1) {
    proto::CreateTopicsRequest request;
    add_topic(request, name, partitions, factor);
    return request;
  }
  static proto::CreateTopicsRequest::Topic* add_topic(proto::CreateTopicsRequest& request,
                                                      const std::string& name, int partitions = 1,
                                                      int factor = -1) {
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(partitions);
    topic->set_replication_factor(factor);
    return topic;
  }
  // Decides, applies, and answers the code of the one topic.
  ErrorCode create(const proto::CreateTopicsRequest& request) {
    auto decision = create_topics(request, *image, settings, random);
    if (!decision.records.empty()) apply(decision.records);
    last_message = decision.reply.topics(0).error().message();
    return static_cast<ErrorCode>(decision.reply.topics(0).error().code());
  }

  meta::ImagePtr image = std::make_shared<const meta::Image>();
  std::int64_t offset = 0;
  Settings settings;
  base::Random random{3};
  std::string last_message;
};

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
  EXPECT_NE(last_message.find("only 1 broker(s)"), std::string::npos);
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
  EXPECT_NE(last_message.find("only 0 broker(s)"), std::string::npos);
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

class Configs : public Decide {
 protected:
  Configs() {
    add_broker(1);
    create(create_request("a"));
  }
  ErrorCode change(int type, const std::string& name, const std::string& key, int op,
                   const char* value, bool validate = false) {
    proto::IncrementalAlterConfigsRequest request;
    request.set_validate_only(validate);
    auto* resource = request.add_resources();
    resource->set_type(type);
    resource->set_name(name);
    auto* config = resource->add_configs();
    config->set_key(key);
    config->set_op(op);
    if (value) config->set_value(value);
    auto decision = incremental_alter_configs(request, *image, settings);
    if (!decision.records.empty()) apply(decision.records);
    return static_cast<ErrorCode>(decision.reply.resources(0).error().code());
  }
};

// Goal: SET and DELETE, the judge's verdict, and what validate_only leaves alone.
TEST_F(Configs, SetsAndDeletes) {
  EXPECT_EQ(change(2, "a", "k", 0, "v", true), ErrorCode::kNone);
  EXPECT_TRUE(image->topic("a")->configs.empty());
  EXPECT_EQ(change(2, "a", "k", 0, "v"), ErrorCode::kNone);
  EXPECT_EQ(image->topic("a")->configs.at("k"), "v");
  const auto before = offset;
  EXPECT_EQ(change(2, "a", "k", 0, "v"), ErrorCode::kNone);  // no change, no record
  EXPECT_EQ(offset, before);
  EXPECT_EQ(change(2, "a", "bad", 0, "v"), ErrorCode::kInvalidConfig);
  EXPECT_EQ(change(2, "a", "k", 0, nullptr), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(2, "a", "k", 9, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(2, "a", "k", 1, nullptr), ErrorCode::kNone);
  EXPECT_TRUE(image->topic("a")->configs.empty());
}

// Goal: APPEND and SUBTRACT work on lists, from the default on, without doubles.
TEST_F(Configs, EditsLists) {
  EXPECT_EQ(change(2, "a", "k", 2, "v"), ErrorCode::kInvalidConfig);
  EXPECT_EQ(change(2, "a", "list", 2, "compact, delete"), ErrorCode::kNone);
  EXPECT_EQ(image->topic("a")->configs.at("list"), "delete,compact");
  EXPECT_EQ(change(2, "a", "list", 3, "delete,other"), ErrorCode::kNone);
  EXPECT_EQ(image->topic("a")->configs.at("list"), "compact");
}

// Goal: resources that do not exist, or are named wrongly, each with its code.
TEST_F(Configs, ChecksResources) {
  EXPECT_EQ(change(2, "nobody", "k", 0, "v"), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(change(4, "", "k", 0, "v"), ErrorCode::kNone);
  EXPECT_EQ(change(4, "1", "k", 0, "v"), ErrorCode::kNone);
  EXPECT_EQ(change(4, "2", "k", 0, "v"), ErrorCode::kBrokerIdNotRegistered);
  EXPECT_EQ(change(4, "01", "k", 0, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(4, "-1", "k", 0, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(4, "x", "k", 0, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(32, "g", "k", 0, "v"), ErrorCode::kNone);
  EXPECT_EQ(change(32, "", "k", 0, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(change(77, "g", "k", 0, "v"), ErrorCode::kInvalidRequest);
  EXPECT_EQ(image->cluster_configs().at("k"), "v");
  EXPECT_EQ(image->broker_configs(base::BrokerId(1)).at("k"), "v");
  EXPECT_EQ(image->group_configs("g").at("k"), "v");
}

// Goal: a resource or a key given twice is refused.
TEST_F(Configs, RefusesDoubles) {
  proto::IncrementalAlterConfigsRequest request;
  for (int i = 0; i < 2; ++i) {
    auto* resource = request.add_resources();
    resource->set_type(2);
    resource->set_name("a");
  }
  auto decision = incremental_alter_configs(request, *image, settings);
  EXPECT_EQ(decision.reply.resources(1).error().code(), 42);
  request.mutable_resources()->RemoveLast();
  for (int i = 0; i < 2; ++i) {
    auto* config = request.mutable_resources(0)->add_configs();
    config->set_key("k");
    config->set_value("v");
  }
  decision = incremental_alter_configs(request, *image, settings);
  EXPECT_EQ(decision.reply.resources(0).error().code(), 42);
  EXPECT_TRUE(decision.records.empty());
}

// Goal: the legacy call replaces the whole set.
TEST_F(Configs, LegacyReplacesAll) {
  change(2, "a", "old", 0, "1");
  change(2, "a", "both", 0, "1");
  proto::AlterConfigsRequest request;
  auto* resource = request.add_resources();
  resource->set_type(2);
  resource->set_name("a");
  for (const char* key : {"both", "new"}) {
    auto* config = resource->add_configs();
    config->set_key(key);
    config->set_value("2");
  }
  apply(alter_configs(request, *image, settings).records);
  EXPECT_EQ(image->topic("a")->configs, (meta::Configs{{"both", "2"}, {"new", "2"}}));
}

// Goal: a new cluster finalizes what this release has, and nothing that it has not.
TEST_F(Decide, BootstrapsFeatures) {
  for (const auto& each : meta::kSupportedFeatures) {
    EXPECT_EQ(image->feature(each.name), each.initial) << each.name;
  }
  EXPECT_EQ(image->feature("transaction.version"), 0);
  EXPECT_EQ(image->cluster_id(), (base::Uuid{1, 1}));
}

// Goal: levels move only within what is supported and in the direction that was asked; one refusal
// refuses all.
TEST_F(Decide, UpdatesFeatures) {
  const auto update = [&](std::vector<std::tuple<std::string, int, int>> features) {
    proto::UpdateFeaturesRequest request;
    for (const auto& [name, level, type] : features) {
      auto* each = request.add_features();
      each->set_name(name);
      each->set_level(level);
      each->set_upgrade_type(type);
    }
    auto decision = update_features(request, *image);
    if (!decision.records.empty()) apply(decision.records);
    return decision.reply.error().code();
  };
  const int invalid = static_cast<int>(ErrorCode::kInvalidUpdateVersion);
  EXPECT_EQ(update({{"transaction.version", 2, 1}}), invalid);
  EXPECT_EQ(update({{"metadata.version", 99, 1}}), invalid);
  EXPECT_EQ(update({{"metadata.version", 7, 3}}), invalid);
  EXPECT_EQ(update({{"group.version", 0, 1}}), invalid);
  EXPECT_EQ(update({{"group.version", 0, 2}, {"nothing", 1, 1}}), invalid);
  EXPECT_EQ(image->feature("group.version"), 1);
  EXPECT_EQ(update({{"group.version", 0, 2}}), 0);
  EXPECT_EQ(image->feature("group.version"), 0);
  EXPECT_EQ(update({{"group.version", 1, 2}}), invalid);
  EXPECT_EQ(update({{"group.version", 1, 1}}), 0);
}

// Goal: blocks follow each other, and only for the broker's current registration.
TEST_F(Decide, AllocatesProducerIds) {
  add_broker(1);
  proto::AllocateProducerIdsRequest request;
  request.set_broker_id(1);
  request.set_broker_epoch(image->broker(base::BrokerId(1))->epoch.value());
  for (std::int64_t first : {0, 1000, 2000}) {
    auto decision = allocate_producer_ids(request, *image);
    EXPECT_EQ(decision.reply.first(), first);
    EXPECT_EQ(decision.reply.count(), 1000);
    apply(decision.records);
  }
  request.set_broker_epoch(request.broker_epoch() + 1);
  EXPECT_EQ(allocate_producer_ids(request, *image).reply.error().code(),
            static_cast<int>(ErrorCode::kStaleBrokerEpoch));
  request.set_broker_id(2);
  EXPECT_EQ(allocate_producer_ids(request, *image).reply.error().code(),
            static_cast<int>(ErrorCode::kBrokerIdNotRegistered));
}

// Goal: a broker's new process gets a new epoch and new leader epochs; the same process again gets
// what it has; another cluster's broker and nonsense are refused.
TEST_F(Decide, RegistersBrokers) {
  add_broker(1);
  create(create_request("a", 2));
  proto::RegisterBrokerRequest request;
  request.set_broker_id(1);
  request.mutable_incarnation()->set_low(101);
  auto* listener = request.add_listeners();
  listener->set_name("PLAINTEXT");
  listener->set_host("localhost");
  listener->set_port(9092);
  auto again = register_broker(request, *image);
  EXPECT_TRUE(again.records.empty());
  EXPECT_EQ(again.reply.broker_epoch(), image->broker(base::BrokerId(1))->epoch.value());

  request.mutable_incarnation()->set_low(555);
  const auto epoch = apply(register_broker(request, *image).records);
  EXPECT_EQ(image->broker(base::BrokerId(1))->epoch.value(), epoch);
  EXPECT_EQ(image->partition("a", 0)->leader_epoch, base::LeaderEpoch(1));
  EXPECT_EQ(image->partition("a", 1)->leader_epoch, base::LeaderEpoch(1));

  request.mutable_cluster_id()->set_low(77);
  EXPECT_EQ(register_broker(request, *image).reply.error().code(),
            static_cast<int>(ErrorCode::kInconsistentClusterId));
  request.clear_cluster_id();
  const int invalid = static_cast<int>(ErrorCode::kInvalidRegistration);
  listener->set_port(70'000);
  EXPECT_EQ(register_broker(request, *image).reply.error().code(), invalid);
  request.clear_listeners();
  EXPECT_EQ(register_broker(request, *image).reply.error().code(), invalid);
}

}  // namespace
}  // namespace controller::cluster
