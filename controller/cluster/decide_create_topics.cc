#include <map>
#include <set>

#include "common/meta/apply.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/topic_rules.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

struct Planned {
  meta::Configs configs;
  std::vector<Replicas> partitions;
};

// Overrides of the request; a null value or a key given twice is a mistake.
Verdict<meta::Configs> read_configs(const proto::CreateTopicsRequest::Topic& topic,
                                    const Settings& settings) {
  meta::Configs configs;
  for (const auto& each : topic.configs()) {
    if (!each.has_value()) {
      return refuse(ErrorCode::kInvalidConfig, "No value is given for the config " + each.key());
    }
    if (!configs.emplace(each.key(), each.value()).second) {
      return refuse(ErrorCode::kInvalidRequest, "The config is given twice: " + each.key());
    }
  }
  if (settings.config_rules.validate) {
    if (auto why = settings.config_rules.validate(proto::CONFIG_RESOURCE_TOPIC, configs)) {
      return refuse(ErrorCode::kInvalidConfig, std::move(*why));
    }
  }
  return configs;
}

Verdict<std::vector<Replicas>> read_assignments(const proto::CreateTopicsRequest::Topic& topic,
                                                const meta::Image& image) {
  if (topic.replication_factor() != -1) {
    return refuse(ErrorCode::kInvalidRequest,
                  "With an assignment of its own a topic's replication factor must be -1.");
  }
  if (topic.partitions() != -1) {
    return refuse(ErrorCode::kInvalidRequest,
                  "With an assignment of its own a topic's number of partitions must be -1.");
  }
  std::map<std::int32_t, Replicas> by_partition;
  std::size_t count = 0;
  for (const auto& each : topic.assignments()) {
    Replicas replicas;
    for (std::int32_t id : each.replicas()) replicas.push_back(base::BrokerId(id));
    if (auto good = check_assignment(replicas, count, image); !good) {
      return std::unexpected(good.error());
    }
    count = replicas.size();
    if (!by_partition.emplace(each.partition(), std::move(replicas)).second) {
      return refuse(
          ErrorCode::kInvalidReplicaAssignment,
          "More than one assignment is given for partition " + std::to_string(each.partition()));
    }
  }
  if (by_partition.begin()->first != 0 ||
      by_partition.rbegin()->first != static_cast<std::int32_t>(by_partition.size()) - 1) {
    return refuse(ErrorCode::kInvalidReplicaAssignment,
                  "The assigned partitions must count up from 0.");
  }
  std::vector<Replicas> partitions;
  for (auto& [index, replicas] : by_partition) partitions.push_back(std::move(replicas));
  return partitions;
}

Verdict<std::vector<Replicas>> place(const proto::CreateTopicsRequest::Topic& topic,
                                     const meta::Image& image, const Settings& settings,
                                     base::Random& random) {
  if (!topic.assignments().empty()) return read_assignments(topic, image);
  if (topic.replication_factor() < -1 || topic.replication_factor() == 0) {
    return refuse(ErrorCode::kInvalidReplicationFactor,
                  "The replication factor must be positive, or -1 for the broker's default.");
  }
  if (topic.partitions() < -1 || topic.partitions() == 0) {
    return refuse(ErrorCode::kInvalidPartitions,
                  "The number of partitions must be positive, or -1 for the broker's default.");
  }
  const std::int32_t partitions =
      topic.partitions() == -1 ? settings.default_partitions : topic.partitions();
  std::size_t factor = static_cast<std::size_t>(std::max(topic.replication_factor(), 0));
  if (topic.replication_factor() == -1) {
    factor = settings.default_replication_factor > 0
                 ? static_cast<std::size_t>(settings.default_replication_factor)
                 : std::clamp<std::size_t>(live_brokers(image), 1, 3);
  }
  return place_replicas(static_cast<std::size_t>(partitions), factor, image, random);
}

Verdict<Planned> plan(const proto::CreateTopicsRequest::Topic& topic, const meta::Image& image,
                      const Settings& settings, base::Random& random) {
  if (auto good = check_topic_name(topic.name()); !good) return std::unexpected(good.error());
  // Kafka's own name for the log that is ours here.
  if (topic.name() == "__cluster_metadata") {
    return refuse(ErrorCode::kTopicAuthorizationFailed, "the name is reserved");
  }
  if (image.topic(topic.name())) {
    return refuse(ErrorCode::kTopicAlreadyExists, "Topic '" + topic.name() + "' already exists.");
  }
  if (const std::string* other = image.colliding_topic(topic.name())) {
    return refuse(ErrorCode::kInvalidTopicException,
                  "Topic '" + topic.name() + "' collides with existing topic: " + *other);
  }
  auto configs = read_configs(topic, settings);
  if (!configs) return std::unexpected(configs.error());
  auto partitions = place(topic, image, settings, random);
  if (!partitions) return std::unexpected(partitions.error());
  return Planned{std::move(*configs), std::move(*partitions)};
}

void add_records(const std::string& name, base::Uuid id, const Planned& planned,
                 const meta::Image& image, std::vector<proto::Record>& out) {
  proto::Record topic;
  topic.mutable_topic()->set_name(name);
  meta::to_proto(id, topic.mutable_topic()->mutable_topic_id());
  out.push_back(std::move(topic));
  std::int32_t index = 0;
  for (const Replicas& replicas : planned.partitions) {
    out.push_back(new_partition(id, index++, replicas, image));
  }
  for (const auto& [key, value] : planned.configs) {
    proto::Record config;
    config.mutable_config()->set_resource(proto::CONFIG_RESOURCE_TOPIC);
    config.mutable_config()->set_name(name);
    config.mutable_config()->set_key(key);
    config.mutable_config()->set_value(value);
    out.push_back(std::move(config));
  }
}

std::int64_t partitions_asked(const proto::CreateTopicsRequest& request, const Settings& settings) {
  std::int64_t total = 0;
  for (const auto& topic : request.topics()) {
    if (!topic.assignments().empty()) {
      total += topic.assignments_size();
    } else if (topic.partitions() > 0) {
      total += topic.partitions();
    } else if (topic.partitions() == -1) {
      total += settings.default_partitions;
    }
  }
  return total;
}

base::Uuid fresh_id(const meta::Image& image, base::Random& random) {
  for (;;) {
    const base::Uuid id = base::Uuid::random(random);
    if (!image.topic(id)) return id;
  }
}

}  // namespace

Decision<proto::CreateTopicsReply> create_topics(const proto::CreateTopicsRequest& request,
                                                 const meta::Image& image, const Settings& settings,
                                                 base::Random& random) {
  Decision<proto::CreateTopicsReply> out;
  std::map<std::string, int> times;
  for (const auto& topic : request.topics()) ++times[topic.name()];
  const bool too_many = partitions_asked(request, settings) > kPartitionsPerRequestMax;
  std::map<std::string, std::string> collisions;  // within this request
  std::set<std::string> answered;
  for (const auto& topic : request.topics()) {
    if (!answered.insert(topic.name()).second) continue;
    auto* reply = out.reply.add_topics();
    reply->set_name(topic.name());
    if (times[topic.name()] > 1) {
      set_error(reply->mutable_error(), {ErrorCode::kInvalidRequest, "The topic is named twice."});
      continue;
    }
    if (too_many) {
      set_error(reply->mutable_error(),
                {ErrorCode::kPolicyViolation, "One request may make no more partitions than " +
                                                  std::to_string(kPartitionsPerRequestMax) + "."});
      continue;
    }
    auto planned = plan(topic, image, settings, random);
    const std::string key = meta::collision_key(topic.name());
    if (planned && !key.empty()) {
      auto [other, fresh] = collisions.emplace(key, topic.name());
      if (!fresh) {
        planned = refuse(ErrorCode::kInvalidTopicException,
                         "Topic '" + topic.name() + "' collides with topic: " + other->second);
      }
    }
    if (!planned) {
      set_error(reply->mutable_error(), planned.error());
      continue;
    }
    reply->set_partitions(static_cast<std::int32_t>(planned->partitions.size()));
    reply->set_replication_factor(static_cast<std::int32_t>(planned->partitions.front().size()));
    if (request.validate_only()) continue;
    const base::Uuid id = fresh_id(image, random);
    meta::to_proto(id, reply->mutable_topic_id());
    add_records(topic.name(), id, *planned, image, out.records);
  }
  return out;
}

}  // namespace controller::cluster
