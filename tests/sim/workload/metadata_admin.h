// The clients of the metadata workload, and what they were promised.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/workload/metadata_process.h"

namespace sim {

inline constexpr base::Duration kCallTimeout = std::chrono::milliseconds(300);

// What clients were told. Names and values are used once, so that a call without an answer leaves
// no doubt about any other.
struct Expected {
  struct Topic {
    bool created = false;  // acknowledged
    bool delete_tried = false;
    bool deleted = false;          // acknowledged
    std::int64_t value_tried = 0;  // of its config
    std::int64_t value = 0;        // acknowledged
    std::int32_t partitions = 0;   // acknowledged
  };
  std::map<std::string, Topic> topics;
  struct Value {
    std::int64_t tried = 0;
    std::int64_t kept = 0;  // acknowledged
  };
  std::map<std::string, Value>
      defaults;  // by key: each client has its own, so its calls are in order
  std::map<std::int64_t, std::int64_t> id_blocks;  // first -> end

  // Empty when `image` keeps every promise.
  std::string broken_by(const meta::Image& image) const {
    for (const auto& [name, topic] : topics) {
      const meta::Topic* found = image.topic(name);
      if (topic.deleted && found) return "deleted, and there: " + name;
      if (topic.created && !topic.delete_tried && !found) return "created, and gone: " + name;
      if (!found) continue;
      if (static_cast<std::int32_t>(found->partitions.size()) < topic.partitions) {
        return "partitions are gone of " + name;
      }
      auto value = found->configs.find("x");
      const std::int64_t have = value == found->configs.end() ? 0 : std::stoll(value->second);
      if (have < topic.value || have > topic.value_tried) return "the config is lost of " + name;
    }
    for (const auto& [key, value] : defaults) {
      auto found = image.cluster_configs().find(key);
      const std::int64_t have =
          found == image.cluster_configs().end() ? 0 : std::stoll(found->second);
      if (have < value.kept || have > value.tried) return "the default config is lost: " + key;
    }
    if (!id_blocks.empty() && image.next_producer_id() < id_blocks.rbegin()->second) {
      return "producer ids would be handed out again";
    }
    return {};
  }
};

// Sends one random call after the other from one broker; each waits for its answer or timeout.
class Admin {
 public:
  Admin(World& world, FollowerProcess& from, Expected& expected, const std::string& name)
      : world_(world), from_(from), expected_(expected), random_(world.random(name)), name_(name) {}

  std::uint64_t acknowledged = 0;
  std::uint64_t calls = 0;
  bool busy() const { return busy_; }

  // One call; `done` once it is answered (or timed out).
  void call(std::function<void()> done) {
    busy_ = true;
    done_ = std::move(done);
    ++calls;
    switch (random_.below(own_.empty() ? 1 : 10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return create();
      case 4:
        return remove();
      case 5:
      case 6:
        return set_config(own_[random_.below(own_.size())]);
      case 7:
        return set_config("");
      case 8:
        return grow();
      default:
        return allocate();
    }
  }
  // The process died: its call will never answer.
  void forget() {
    busy_ = false;
    ++generation_;
  }

 private:
  template <class Reply>
  broker::ControllerClient::Done<Reply> answer(std::function<void(const Reply&)> good) {
    return [this, good, generation = generation_](std::expected<Reply, broker::CallError> reply) {
      if (generation != generation_) return;
      if (reply) good(*reply);
      busy_ = false;
      auto done = std::exchange(done_, nullptr);
      if (done) done();
    };
  }

  void create() {
    const std::string name = name_ + "-" + std::to_string(++named_);
    expected_.topics[name];
    own_.push_back(name);
    proto::CreateTopicsRequest request;
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(static_cast<std::int32_t>(1 + random_.below(4)));
    topic->set_replication_factor(1);
    const int partitions = topic->partitions();
    from_.client->create_topics(
        request, kCallTimeout, *from_.executor,
        answer<proto::CreateTopicsReply>([this, name, partitions](const auto& reply) {
          if (reply.topics(0).error().code() != 0) return;
          expected_.topics[name].created = true;
          expected_.topics[name].partitions = partitions;
          ++acknowledged;
          wait_to_see(name, base::Offset(reply.offset()));
        }));
  }

  // A broker that has reached a reply's offset sees the change.
  void wait_to_see(const std::string& name, base::Offset offset) {
    from_.follower->when_reached(offset, *from_.executor, [this, name, generation = generation_] {
      if (generation != generation_) return;
      if (!expected_.topics[name].delete_tried && !from_.follower->image()->topic(name)) {
        world_.fail(Verdict::kIncorrect, "the offset is reached, the topic not there");
      }
    });
  }

  void remove() {
    const auto at = random_.below(own_.size());
    const std::string name = own_[at];
    own_.erase(own_.begin() + static_cast<std::ptrdiff_t>(at));
    expected_.topics[name].delete_tried = true;
    proto::DeleteTopicsRequest request;
    request.add_topics()->set_name(name);
    from_.client->delete_topics(request, kCallTimeout, *from_.executor,
                                answer<proto::DeleteTopicsReply>([this, name](const auto& reply) {
                                  if (reply.topics(0).error().code() != 0) return;
                                  expected_.topics[name].deleted = true;
                                  ++acknowledged;
                                }));
  }

  void set_config(const std::string& topic) {
    const std::string key = topic.empty() ? name_ : "x";
    auto& tried =
        topic.empty() ? expected_.defaults[key].tried : expected_.topics[topic].value_tried;
    auto& kept = topic.empty() ? expected_.defaults[key].kept : expected_.topics[topic].value;
    const std::int64_t value = ++tried;
    proto::IncrementalAlterConfigsRequest request;
    auto* resource = request.add_resources();
    resource->set_type(topic.empty() ? proto::CONFIG_RESOURCE_BROKER
                                     : proto::CONFIG_RESOURCE_TOPIC);
    resource->set_name(topic);
    auto* config = resource->add_configs();
    config->set_key(key);
    config->set_value(std::to_string(value));
    from_.client->incremental_alter_configs(
        request, kCallTimeout, *from_.executor,
        answer<proto::AlterConfigsReply>([this, &kept, value](const auto& reply) {
          if (reply.resources(0).error().code() != 0) return;
          kept = std::max(kept, value);
          ++acknowledged;
        }));
  }

  void grow() {
    const std::string name = own_[random_.below(own_.size())];
    const meta::Topic* topic = from_.follower->image()->topic(name);
    proto::CreatePartitionsRequest request;
    auto* asked = request.add_topics();
    asked->set_name(name);
    asked->set_count(topic ? static_cast<std::int32_t>(topic->partitions.size()) + 1 : 5);
    const int count = asked->count();
    from_.client->create_partitions(
        request, kCallTimeout, *from_.executor,
        answer<proto::CreatePartitionsReply>([this, name, count](const auto& reply) {
          if (reply.topics(0).error().code() != 0) return;
          expected_.topics[name].partitions = count;
          ++acknowledged;
        }));
  }

  void allocate() {
    proto::AllocateProducerIdsRequest request;
    request.set_broker_id(from_.id);
    request.set_broker_epoch(from_.registrar->epoch().value());
    from_.client->allocate_producer_ids(
        request, kCallTimeout, *from_.executor,
        answer<proto::AllocateProducerIdsReply>([this](const auto& reply) {
          const std::int64_t first = reply.first();
          const std::int64_t end = first + reply.count();
          auto after = expected_.id_blocks.lower_bound(first);
          const bool overlaps =
              (after != expected_.id_blocks.end() && after->first < end) ||
              (after != expected_.id_blocks.begin() && std::prev(after)->second > first);
          if (overlaps) world_.fail(Verdict::kIncorrect, "producer ids were handed out twice");
          expected_.id_blocks[first] = end;
          ++acknowledged;
        }));
  }

  World& world_;
  FollowerProcess& from_;
  Expected& expected_;
  base::Random random_;
  std::string name_;
  std::vector<std::string> own_;  // one client's topics, so that its own calls are in order
  int named_ = 0;
  bool busy_ = false;
  std::uint64_t generation_ = 0;
  std::function<void()> done_;
};

}  // namespace sim
