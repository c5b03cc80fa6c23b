// What Apache Kafka 4.3.1 wrote to __consumer_offsets while a group changed its protocol
// (testdata/kafka-4.3.1, made by tests/client/capture_groups.py): a broker that takes the log over
// finds the group in the middle of it, and the group goes on.
#include <gtest/gtest.h>

#include <fstream>

#include "broker/group/test_consumers.h"

namespace broker::group {
namespace {

using namespace testing;

constexpr const char* kNewMember = "member-of-kip-848";

base::Bytes unhex(std::string_view text) {
  base::Bytes out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

std::vector<Record> captured(const std::string& file) {
  std::ifstream in("testdata/kafka-4.3.1/" + file);
  std::vector<Record> out;
  for (std::string key, value; in >> key >> value;) {
    Record& record = out.emplace_back(Record{.key = unhex(key), .value = std::nullopt});
    if (value != "-") record.value = unhex(value);
  }
  EXPECT_GT(out.size(), 10u) << file;
  return out;
}

// The topic as it was in that cluster.
class CapturedTopics final : public Topics {
 public:
  explicit CapturedTopics(base::Uuid id) : id_(id) {}
  std::uint64_t version() const override { return 1; }
  std::optional<TopicShape> find(std::string_view name) const override {
    if (name != "captured") return std::nullopt;
    return TopicShape{"captured", id_, 4};
  }
  std::optional<std::string> name_of(const base::Uuid& id) const override {
    return id == id_ ? std::optional<std::string>("captured") : std::nullopt;
  }
  std::vector<std::string> racks(const base::Uuid&, std::int32_t) const override { return {}; }
  void for_each_name(const std::function<void(std::string_view)>& visit) const override {
    visit("captured");
  }

 private:
  base::Uuid id_;
};

class Captured : public Bench {
 public:
  explicit Captured(const std::string& file) {
    log = captured(file);
    restart();
    EXPECT_NE(group("migrating"), nullptr);
    topics =
        std::make_shared<CapturedTopics>(group("migrating")->offsets.at("captured").at(0).topic_id);
    shard->see_topics(topics);
  }

  std::int64_t offset() const { return group("migrating")->offsets.at("captured").at(0).offset; }

  std::shared_ptr<CapturedTopics> topics;
};

// Goal: a group in the middle of the upgrade is loaded whole: who speaks which protocol, in which
// epoch, what each has and is to have; then it ends what it had begun. Method: the log up to the
// first answer to the member of KIP-848; its heartbeats and those of the static classic member.
TEST(ConsumerCaptured, GoesOnWithAnUpgrade) {
  Captured bench("upgrading.txt");
  const Group& group = *bench.group("migrating");
  ASSERT_TRUE(group.consumer);
  const ConsumerGroup& consumers = *group.consumer;
  EXPECT_EQ(bench.offset(), 7);
  EXPECT_EQ(consumers.epoch, 2);
  EXPECT_EQ(consumers.target_epoch, 2);
  ASSERT_EQ(consumers.members.size(), 3u);
  const ConsumerMember* old = consumers.find_static("static");
  ASSERT_NE(old, nullptr);
  ASSERT_TRUE(old->classic);
  EXPECT_EQ(old->epoch, 1);
  EXPECT_EQ(old->owned.size(), 2u);
  const ConsumerMember* fresh = consumers.find(kNewMember);
  ASSERT_NE(fresh, nullptr);
  EXPECT_FALSE(fresh->classic);
  EXPECT_EQ(fresh->epoch, 2);
  EXPECT_EQ(fresh->state, ConsumerMemberState::kUnreleased);
  EXPECT_EQ(fresh->owned.size(), 0u);
  EXPECT_EQ(consumers.target.at(kNewMember).size(), 1u);
  EXPECT_EQ(consumers.state_name(), "Reconciling");

  const wire::HeartbeatRequest classic{.group_id = "migrating",
                                       .generation_id = 1,
                                       .member_id = old->id,
                                       .group_instance_id = "static"};
  EXPECT_EQ(bench.ask<wire::HeartbeatResponse>(classic, 4).error_code,
            ErrorCode::kRebalanceInProgress)
      << "it has to give one back";
  Heartbeat beating{.group_id = "migrating", .member_id = kNewMember, .member_epoch = 2};
  const auto heard =
      bench.ask<Beaten>(ConsumerHeartbeat{.request = beating, .topics = bench.topics}, 1);
  EXPECT_EQ(heard.error_code, ErrorCode::kNone);
  beating.member_epoch = heard.member_epoch;
  // The classic ones do not come back: when their sessions are over, all is the new member's.
  for (int i = 0; i < 14; ++i) {
    bench.pass(5s);
    const auto next =
        bench.ask<Beaten>(ConsumerHeartbeat{.request = beating, .topics = bench.topics}, 1);
    ASSERT_EQ(next.error_code, ErrorCode::kNone) << i;
    beating.member_epoch = next.member_epoch;
  }
  EXPECT_EQ(bench.group("migrating")->consumer->members.size(), 1u);
  EXPECT_EQ(bench.group("migrating")->consumer->find(kNewMember)->owned.size(), 4u);
  EXPECT_EQ(bench.offset(), 7);
}

// Goal: a group that has gone back is a classic group again. Method: the log until the member of
// KIP-848 had left.
TEST(ConsumerCaptured, KnowsAGroupThatWentBack) {
  Captured bench("downgraded.txt");
  const Group& group = *bench.group("migrating");
  EXPECT_FALSE(group.consumer);
  EXPECT_EQ(group.state, GroupState::kStable);
  EXPECT_EQ(group.generation, 2);
  EXPECT_EQ(group.members.size(), 2u);
  EXPECT_EQ(group.protocol, "cooperative-sticky");
  ASSERT_TRUE(group.static_members.contains("static"));
  EXPECT_EQ(bench.offset(), 7);
  const wire::HeartbeatRequest request{.group_id = "migrating",
                                       .generation_id = 2,
                                       .member_id = group.static_members.at("static"),
                                       .group_instance_id = "static"};
  EXPECT_EQ(bench.ask<wire::HeartbeatResponse>(request, 4).error_code, ErrorCode::kNone);
}

// Goal: wherever the log of a change is cut off - Kafka wrote it in several batches - it is loaded,
// and its invariants hold. Method: every prefix of the longer log.
TEST(ConsumerCaptured, LoadsEveryPrefix) {
  const std::vector<Record> all = captured("downgraded.txt");
  for (std::size_t size = 0; size <= all.size(); ++size) {
    Bench bench;
    bench.log.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    bench.restart();
    bench.shard->see_topics(std::make_shared<CapturedTopics>(base::Uuid{1, 2}));
    bench.pass(120s);
    EXPECT_EQ(bench.shard->malformed_records(), 0u) << size;
  }
}

}  // namespace
}  // namespace broker::group
