// The custom resource Topic: its schema, and its spec as a value. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/types/cluster.h"
#include "operator/types/schema.h"

namespace kube {

struct TopicSpec {
  std::string cluster;                     // the Cluster's name, in the same namespace
  std::string name;                        // of the topic: spec.topicName, else the resource's
  std::optional<std::int32_t> partitions;  // nothing: the brokers' default, then as it is
  std::optional<std::int32_t> replication_factor;  // the same
  std::map<std::string, std::string> config;
  DeletionPolicy deletion_policy = DeletionPolicy::kRetain;
};

// OpenAPI v3 of the whole resource, without apiVersion, kind and metadata.
const Json& topic_schema();

// Of the resource as the API server has it.
std::expected<TopicSpec, std::vector<Problem>> topic_spec(const Json& resource);

// Configs as text: {"retention.ms": 1000} is "1000".
std::map<std::string, std::string> config_texts(const Json& config);

}  // namespace kube
