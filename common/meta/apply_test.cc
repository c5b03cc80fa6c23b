#include "common/meta/apply.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/random.h"

namespace meta {
namespace {

proto::Record topic_record(const std::string& name, base::Uuid id) {
  proto::Record record;
  record.mutable_topic()->set_name(name);
  to_proto(id, record.mutable_topic()->mutable_topic_id());
  return record;
}

proto::Record partition_record(base::Uuid id, int index) {
  proto::Record record;
  auto* partition = record.mutable_partition();
  to_proto(id, partition->mutable_topic_id());
  partition->set_partition(index);
  partition->set_leader(1);
  partition->add_replicas(1);
  partition->add_isr(1);
  return record;
}

proto::Record leader_record(base::Uuid id, int index, int leader) {
  proto::Record record;
  to_proto(id, record.mutable_partition_change()->mutable_topic_id());
  record.mutable_partition_change()->set_partition(index);
  record.mutable_partition_change()->set_leader(leader);
  return record;
}

proto::Record remove_record(base::Uuid id) {
  proto::Record record;
  to_proto(id, record.mutable_remove_topic()->mutable_topic_id());
  return record;
}

proto::Record config_record(proto::ConfigResource resource, const std::string& name,
                            const std::string& key, const char* value) {
  proto::Record record;
  record.mutable_config()->set_resource(resource);
  record.mutable_config()->set_name(name);
  record.mutable_config()->set_key(key);
  if (value) record.mutable_config()->set_value(value);
  return record;
}

Step apply_all(const ImagePtr& base, std::int64_t offset,
               const std::vector<proto::Record>& records) {
  proto::RecordBatch batch;
  for (const auto& each : records) *batch.add_records() = each;
  auto step = apply_entry(base, base::Offset(offset), 1, batch.SerializeAsString());
  EXPECT_TRUE(step.has_value()) << (step ? "" : step.error());
  return std::move(*step);
}

const ImagePtr kEmpty = std::make_shared<const Image>();
const base::Uuid kOne{1, 1};
const base::Uuid kTwo{2, 2};

// Goal: a created topic is there by name and id, with its partitions, and the delta says so.
TEST(Apply, CreatesTopic) {
  auto [image, delta] =
      apply_all(kEmpty, 5,
                {topic_record("a", kOne), partition_record(kOne, 0), partition_record(kOne, 1),
                 config_record(proto::CONFIG_RESOURCE_TOPIC, "a", "retention.ms", "5")});
  EXPECT_EQ(image->offset(), base::Offset(5));
  ASSERT_NE(image->topic("a"), nullptr);
  EXPECT_EQ(image->topic("a"), image->topic(kOne));
  EXPECT_EQ(image->topic("a")->partitions.size(), 2u);
  EXPECT_EQ(image->topic("a")->configs.at("retention.ms"), "5");
  EXPECT_EQ(image->partition_count(), 2);
  EXPECT_NE(image->partition("a", 1), nullptr);
  EXPECT_EQ(image->partition("a", 2), nullptr);
  EXPECT_EQ(image->partition("a", -1), nullptr);
  ASSERT_EQ(delta.topics.size(), 1u);
  EXPECT_EQ(delta.topics.at(kOne).before, nullptr);
  EXPECT_EQ(delta.topics.at(kOne).after, image->topic_ptr("a"));
  EXPECT_EQ(delta.topics.at(kOne).partitions, (std::set<std::int32_t>{0, 1}));
  EXPECT_TRUE(delta.topics.at(kOne).configs_changed);
  EXPECT_EQ(kEmpty->topic("a"), nullptr);
}

// Goal: a topic deleted and created anew under its name in one batch is two entries of the delta.
TEST(Apply, RecreatesTopicInOneBatch) {
  auto first = apply_all(kEmpty, 1, {topic_record("a", kOne), partition_record(kOne, 0)}).image;
  auto [image, delta] = apply_all(
      first, 2, {remove_record(kOne), topic_record("a", kTwo), partition_record(kTwo, 0)});
  EXPECT_EQ(image->topic("a")->id, kTwo);
  EXPECT_EQ(image->topic(kOne), nullptr);
  EXPECT_EQ(image->partition_count(), 1);
  ASSERT_EQ(delta.topics.size(), 2u);
  EXPECT_EQ(delta.topics.at(kOne).after, nullptr);
  EXPECT_EQ(delta.topics.at(kOne).before, first->topic_ptr("a"));
  EXPECT_EQ(delta.topics.at(kTwo).before, nullptr);
}

// Goal: what was created and removed within a batch leaves no trace in the delta.
TEST(Apply, CreatedAndRemovedInOneBatchLeavesNoTrace) {
  auto [image, delta] = apply_all(
      kEmpty, 1, {topic_record("a", kOne), partition_record(kOne, 0), remove_record(kOne)});
  EXPECT_TRUE(delta.empty());
  EXPECT_TRUE(image->topics().empty());
  EXPECT_EQ(image->partition_count(), 0);
}

// Goal: a change of leader raises both epochs, and the image before is untouched.
TEST(Apply, LeaderChangeRaisesEpochs) {
  auto first = apply_all(kEmpty, 1, {topic_record("a", kOne), partition_record(kOne, 0)}).image;
  auto [image, delta] =
      apply_all(first, 2, {leader_record(kOne, 0, 1), leader_record(kOne, 0, -1)});
  EXPECT_EQ(image->partition("a", 0)->leader, kNoBroker);
  EXPECT_EQ(image->partition("a", 0)->leader_epoch, base::LeaderEpoch(2));
  EXPECT_EQ(image->partition("a", 0)->partition_epoch, 2);
  EXPECT_EQ(first->partition("a", 0)->leader_epoch, base::LeaderEpoch(0));
  EXPECT_EQ(delta.topics.at(kOne).before, first->topic_ptr("a"));
}

// Goal: broker, default and group overrides come and go; an emptied resource is dropped.
TEST(Apply, ConfigsComeAndGo) {
  auto one = apply_all(kEmpty, 1,
                       {config_record(proto::CONFIG_RESOURCE_BROKER, "", "k", "all"),
                        config_record(proto::CONFIG_RESOURCE_BROKER, "1", "k", "one"),
                        config_record(proto::CONFIG_RESOURCE_GROUP, "g", "s", "1")});
  EXPECT_EQ(one.image->cluster_configs().at("k"), "all");
  EXPECT_EQ(one.image->broker_configs(base::BrokerId(1)).at("k"), "one");
  EXPECT_TRUE(one.image->broker_configs(base::BrokerId(2)).empty());
  EXPECT_EQ(one.image->group_configs("g").at("s"), "1");
  EXPECT_EQ(one.delta.broker_configs, (std::set<std::string>{"", "1"}));
  auto two = apply_all(one.image, 2,
                       {config_record(proto::CONFIG_RESOURCE_BROKER, "1", "k", nullptr),
                        config_record(proto::CONFIG_RESOURCE_GROUP, "g", "s", nullptr)});
  EXPECT_EQ(two.image->brokers_with_configs().size(), 1u);
  EXPECT_TRUE(two.image->groups_with_configs().empty());
  EXPECT_EQ(two.delta.group_configs, (std::set<std::string>{"g"}));
}

// Goal: records that do not fit are refused with a message. Method: one of each kind of misfit.
TEST(Apply, RefusesWhatDoesNotFit) {
  auto first = apply_all(kEmpty, 1, {topic_record("a", kOne), partition_record(kOne, 0)}).image;
  proto::Record unknown;
  proto::Record backwards;
  backwards.mutable_producer_ids()->set_next_id(-5);
  proto::Record level;
  level.mutable_feature()->set_level(100000);
  for (const auto& record :
       {topic_record("a", kTwo), topic_record("b", kOne), partition_record(kTwo, 0),
        partition_record(kOne, 3), leader_record(kOne, 1, 1), leader_record(kTwo, 0, 1),
        remove_record(kTwo), config_record(proto::CONFIG_RESOURCE_TOPIC, "b", "k", "v"),
        config_record(proto::CONFIG_RESOURCE_UNKNOWN, "b", "k", "v"), unknown, backwards, level}) {
    Builder builder(first, base::Offset(2), 1);
    auto applied = builder.apply(record);
    EXPECT_FALSE(applied.has_value()) << record.SerializeAsString();
    if (!applied) {
      EXPECT_FALSE(applied.error().empty());
    }
  }
  EXPECT_FALSE(apply_entry(first, base::Offset(2), 1, "\xff\xff garbage").has_value());
}

// A random batch that fits `image`.
std::vector<proto::Record> random_batch(const Image& image, base::Random& random) {
  std::vector<proto::Record> records;
  std::vector<TopicPtr> topics;
  for (const auto& [name, topic] : image.topics()) topics.push_back(topic);
  const auto fresh = [&] { return base::Uuid{random.next(), random.next()}; };
  switch (topics.empty() ? 0 : random.below(7)) {
    case 0: {
      const std::string name = "t" + std::to_string(random.below(300));
      if (image.topic(name)) break;
      const auto id = fresh();
      records.push_back(topic_record(name, id));
      const auto count = 1 + random.below(100);
      for (int i = 0; i < static_cast<int>(count); ++i) records.push_back(partition_record(id, i));
      break;
    }
    case 1: {
      const auto& topic = topics[random.below(topics.size())];
      records.push_back(remove_record(topic->id));
      break;
    }
    case 2: {
      const auto& topic = topics[random.below(topics.size())];
      const auto index = static_cast<int>(random.below(topic->partitions.size()));
      records.push_back(leader_record(topic->id, index, static_cast<int>(random.below(3))));
      break;
    }
    case 3: {
      const auto& topic = topics[random.below(topics.size())];
      records.push_back(partition_record(topic->id, static_cast<int>(topic->partitions.size())));
      break;
    }
    case 4: {
      const auto& topic = topics[random.below(topics.size())];
      records.push_back(config_record(proto::CONFIG_RESOURCE_TOPIC, topic->name,
                                      "k" + std::to_string(random.below(3)),
                                      random.chance(1, 2) ? "v" : nullptr));
      break;
    }
    case 5: {
      records.push_back(config_record(
          random.chance(1, 2) ? proto::CONFIG_RESOURCE_BROKER : proto::CONFIG_RESOURCE_GROUP,
          std::to_string(random.below(3)), "k", random.chance(1, 2) ? "v" : nullptr));
      break;
    }
    default: {
      proto::Record record;
      record.mutable_broker()->set_broker_id(static_cast<int>(random.below(4)));
      record.mutable_broker()->set_rack(random.chance(1, 2) ? "r1" : "r2");
      records.push_back(record);
      break;
    }
  }
  return records;
}

// Goal: an image equals the one read back from its snapshot, whose bytes are equal too; and the
// delta built on the way names whatever the slow comparison finds. Method: random batches.
TEST(Apply, DeltaAndSnapshotAgreeWithSlowComparison) {
  base::Random random(11);
  ImagePtr image = kEmpty;
  for (int offset = 1; offset < 400; ++offset) {
    auto step = apply_all(image, offset, random_batch(*image, random));
    const Delta slow = difference(*image, *step.image);
    for (const auto& [id, change] : slow.topics) {
      ASSERT_TRUE(step.delta.topics.contains(id));
      const auto& quick = step.delta.topics.at(id);
      EXPECT_EQ(quick.before, change.before);
      EXPECT_EQ(quick.after, change.after);
      EXPECT_TRUE(std::ranges::includes(quick.partitions, change.partitions));
      EXPECT_TRUE(quick.configs_changed || !change.configs_changed);
    }
    EXPECT_LE(step.delta.topics.size(), 1u);
    EXPECT_TRUE(std::ranges::includes(step.delta.brokers, slow.brokers));
    EXPECT_TRUE(std::ranges::includes(step.delta.broker_configs, slow.broker_configs));
    EXPECT_TRUE(std::ranges::includes(step.delta.group_configs, slow.group_configs));
    image = step.image;
  }
  EXPECT_GT(image->partition_count(), 500);
  const proto::Snapshot snapshot = to_snapshot(*image);
  auto again = from_snapshot(snapshot);
  ASSERT_TRUE(again.has_value()) << again.error();
  EXPECT_TRUE(difference(*image, **again).empty());
  EXPECT_EQ((*again)->offset(), image->offset());
  EXPECT_EQ((*again)->partition_count(), image->partition_count());
  EXPECT_EQ(to_snapshot(**again).SerializeAsString(), snapshot.SerializeAsString());
}

// Goal: with 100,000 partitions a change of one shares everything else. Method: count the shared
// topics, and the partitions of the changed topic that stand at the same address.
TEST(Apply, SharesWhatDidNotChange) {
  std::vector<proto::Record> records;
  for (std::uint64_t t = 1; t <= 100; ++t) {
    records.push_back(topic_record("t" + std::to_string(t), {t, t}));
    for (int p = 0; p < 1000; ++p) records.push_back(partition_record({t, t}, p));
  }
  const ImagePtr before = apply_all(kEmpty, 1, records).image;
  EXPECT_EQ(before->partition_count(), 100000);
  const ImagePtr after = apply_all(before, 2, {leader_record({7, 7}, 500, 2)}).image;
  int shared = 0;
  for (const auto& [name, topic] : after->topics()) {
    if (topic == before->topic_ptr(name)) ++shared;
  }
  EXPECT_EQ(shared, 99);
  int copied = 0;
  for (int p = 0; p < 1000; ++p) {
    if (after->partition("t7", p) != before->partition("t7", p)) ++copied;
  }
  EXPECT_LE(copied, 64);
  EXPECT_EQ(before->partition("t7", 500)->leader, base::BrokerId(1));
}

}  // namespace
}  // namespace meta
