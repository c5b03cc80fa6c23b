// Members of the consumer protocol for tests: topics that tests change, and members that say and
// do what they are told.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/group/test_bench.h"

namespace broker::group::testing {

class TestTopics final : public Topics {
 public:
  std::uint64_t version() const override { return version_; }
  std::optional<TopicShape> find(std::string_view name) const override {
    const auto at = shapes_.find(name);
    return at == shapes_.end() ? std::nullopt : std::optional(at->second);
  }
  std::optional<std::string> name_of(const base::Uuid& id) const override {
    for (const auto& [name, shape] : shapes_) {
      if (shape.id == id) return name;
    }
    return std::nullopt;
  }
  std::vector<std::string> racks(const base::Uuid&, std::int32_t) const override { return {}; }
  void for_each_name(const std::function<void(std::string_view)>& visit) const override {
    for (const auto& [name, shape_] : shapes_) visit(name);
  }
  // Made, grown or, with 0, removed.
  void set(const std::string& name, std::int32_t partitions) {
    ++version_;
    if (partitions == 0) return shapes_.erase(name), void();
    auto [it, fresh] = shapes_.try_emplace(name, TopicShape{name, {9, next_++}, partitions});
    it->second.partitions = partitions;
  }

 private:
  std::uint64_t version_ = 1;
  std::uint64_t next_ = 1;
  std::map<std::string, TopicShape, std::less<>> shapes_;
};

using Heartbeat = wire::ConsumerGroupHeartbeatRequest;
using Beaten = wire::ConsumerGroupHeartbeatResponse;

// A member as clients are: it takes what it is told and owns up to it.
struct TestMember {
  std::string id;
  std::vector<std::string> topics = {"t"};
  std::optional<std::string> instance = std::nullopt;
  std::int32_t epoch = 0;
  std::set<std::int32_t> owned = {};  // of topic "t"

  Heartbeat joining() const {
    return {.group_id = "g",
            .member_id = id,
            .member_epoch = 0,
            .instance_id = instance,
            .rebalance_timeout_ms = 30'000,
            .subscribed_topic_names = topics,
            .topic_partitions = std::vector<Heartbeat::TopicPartitions>{}};
  }
  Heartbeat beating(const TestTopics& shapes) const {
    Heartbeat request{.group_id = "g", .member_id = id, .member_epoch = epoch};
    request.instance_id = instance;
    request.topic_partitions.emplace();
    if (!owned.empty()) {
      request.topic_partitions->push_back(
          {.topic_id = shapes.find("t")->id, .partitions = {owned.begin(), owned.end()}});
    }
    return request;
  }
  void take(const Beaten& answer) {
    if (answer.error_code != ErrorCode::kNone) return;
    epoch = answer.member_epoch;
    if (!answer.assignment) return;
    owned.clear();
    for (const auto& topic : answer.assignment->topic_partitions) {
      owned.insert(topic.partitions.begin(), topic.partitions.end());
    }
  }
};

class ConsumerBench : public Bench {
 public:
  explicit ConsumerBench(Config config = {}) : Bench(std::move(config)) {
    topics->set("t", 4);
    shard->see_topics(topics);
  }
  void restart() {
    Bench::restart();
    shard->see_topics(topics);
  }

  Beaten beat(const Heartbeat& request, std::int16_t version = 1) {
    return ask<Beaten>(ConsumerHeartbeat{.request = request, .topics = topics}, version);
  }
  ErrorCode join(TestMember& member) {
    const Beaten answer = beat(member.joining());
    member.take(answer);
    return answer.error_code;
  }
  ErrorCode beat(TestMember& member) {
    const Beaten answer = beat(member.beating(*topics));
    member.take(answer);
    return answer.error_code;
  }
  // Beats all until nobody is told anything new.
  void settle(std::vector<TestMember*> members) {
    for (int round = 0; round < 6; ++round) {
      for (TestMember* member : members) beat(*member);
    }
  }
  const ConsumerGroup& consumers() const { return *group("g")->consumer; }

  std::shared_ptr<TestTopics> topics = std::make_shared<TestTopics>();
};

}  // namespace broker::group::testing
