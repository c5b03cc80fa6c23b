#include "common/meta/features.h"
#include "controller/cluster/test_decide.h"

namespace controller::cluster {
namespace {

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
  EXPECT_EQ(image->feature("group.no.such"), 0);
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
  EXPECT_EQ(update({{"transaction.version", 3, 1}}), invalid);
  EXPECT_EQ(update({{"metadata.version", 99, 1}}), invalid);
  EXPECT_EQ(update({{"metadata.version", 7, 3}}), invalid);
  EXPECT_EQ(update({{"eligible.leader.replicas.version", 0, 1}}), invalid);
  EXPECT_EQ(update({{"eligible.leader.replicas.version", 0, 2}, {"nothing", 1, 1}}), invalid);
  EXPECT_EQ(image->feature("eligible.leader.replicas.version"), 1);
  EXPECT_EQ(update({{"eligible.leader.replicas.version", 0, 2}}), 0);
  EXPECT_EQ(image->feature("eligible.leader.replicas.version"), 0);
  EXPECT_EQ(update({{"eligible.leader.replicas.version", 1, 2}}), invalid);
  EXPECT_EQ(update({{"eligible.leader.replicas.version", 1, 1}}), 0);
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
  auto again = register_broker(request, *image, settings);
  EXPECT_TRUE(again.records.empty());
  EXPECT_EQ(again.reply.broker_epoch(), image->broker(base::BrokerId(1))->epoch.value());

  request.mutable_incarnation()->set_low(555);
  const auto epoch = apply(register_broker(request, *image, settings).records);
  EXPECT_EQ(image->broker(base::BrokerId(1))->epoch.value(), epoch);
  EXPECT_EQ(image->partition("a", 0)->leader_epoch, base::LeaderEpoch(1));
  EXPECT_EQ(image->partition("a", 1)->leader_epoch, base::LeaderEpoch(1));

  request.mutable_cluster_id()->set_low(77);
  EXPECT_EQ(register_broker(request, *image, settings).reply.error().code(),
            static_cast<int>(ErrorCode::kInconsistentClusterId));
  request.clear_cluster_id();
  const int invalid = static_cast<int>(ErrorCode::kInvalidRegistration);
  listener->set_port(70'000);
  EXPECT_EQ(register_broker(request, *image, settings).reply.error().code(), invalid);
  request.clear_listeners();
  EXPECT_EQ(register_broker(request, *image, settings).reply.error().code(), invalid);
}

}  // namespace
}  // namespace controller::cluster
