#include "operator/types/topic.h"

#include <utility>

#include "common/config/def.h"

namespace kube {

std::map<std::string, std::string> config_texts(const Json& config) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : config.items()) {
    out[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return out;
}

std::expected<TopicSpec, std::vector<Problem>> topic_spec(const Json& resource) {
  const Json& schema = object_at(topic_schema(), {"properties", "spec"});
  const Json* given = find(resource, {"spec"});
  const Json spec = with_defaults(schema, given ? *given : Json::object());
  if (auto problems = check(schema, spec, "spec"); !problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  TopicSpec out;
  out.cluster = text_at(spec, {"clusterRef", "name"});
  out.name = text_at(spec, {"topicName"}, text_at(resource, {"metadata", "name"}));
  const auto number = [&](std::string_view name) -> std::optional<std::int32_t> {
    const Json* at = find(spec, {name});
    if (at == nullptr) return std::nullopt;
    return static_cast<std::int32_t>(at->get<std::int64_t>());
  };
  out.partitions = number("partitions");
  out.replication_factor = number("replicationFactor");
  out.config = config_texts(object_at(spec, {"config"}));
  if (text_at(spec, {"deletionPolicy"}) == "Delete") {
    out.deletion_policy = DeletionPolicy::kDelete;
  }
  const config::Overrides overrides(out.config.begin(), out.config.end());
  if (const auto valid = config::validate(config::Resource::kTopic, overrides); !valid) {
    return std::unexpected(
        std::vector{Problem{"spec.config." + valid.error().key, valid.error().message}});
  }
  return out;
}

}  // namespace kube
