#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "controller/cluster/config_effects.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

struct Resource {
  proto::ConfigResource kind = proto::CONFIG_RESOURCE_UNKNOWN;
  const meta::Configs* current = nullptr;
};

// The resource, if it exists and has overrides that the controller keeps.
Verdict<Resource> find_resource(int type, const std::string& name, const meta::Image& image) {
  switch (type) {
    case proto::CONFIG_RESOURCE_TOPIC: {
      const meta::Topic* topic = image.topic(name);
      if (!topic) {
        return refuse(ErrorCode::kUnknownTopicOrPartition,
                      "The topic '" + name + "' does not exist.");
      }
      return Resource{proto::CONFIG_RESOURCE_TOPIC, &topic->configs};
    }
    case proto::CONFIG_RESOURCE_BROKER: {
      if (name.empty()) return Resource{proto::CONFIG_RESOURCE_BROKER, &image.cluster_configs()};
      std::int32_t id = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
      // "007" would be another name of the same broker.
      if (error != std::errc{} || end != name.data() + name.size() || std::to_string(id) != name) {
        return refuse(ErrorCode::kInvalidRequest, "A broker is named by its id, a decimal number.");
      }
      if (id < 0) return refuse(ErrorCode::kInvalidRequest, "A broker's id is not negative.");
      if (!image.broker(base::BrokerId(id))) {
        return refuse(ErrorCode::kBrokerIdNotRegistered, "No broker with id " + name + " found.");
      }
      return Resource{proto::CONFIG_RESOURCE_BROKER, &image.broker_configs(base::BrokerId(id))};
    }
    case proto::CONFIG_RESOURCE_GROUP:
      if (name.empty()) {
        return refuse(ErrorCode::kInvalidRequest,
                      "Groups have no defaults that can be set: name a group.");
      }
      return Resource{proto::CONFIG_RESOURCE_GROUP, &image.group_configs(name)};
    default:
      return refuse(ErrorCode::kInvalidRequest,
                    "Configs of resource type " + std::to_string(type) + " are not known.");
  }
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    const auto first = part.find_first_not_of(" \t");
    if (first != std::string_view::npos) {
      parts.emplace_back(part.substr(first, part.find_last_not_of(" \t") - first + 1));
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

std::string join_list(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& each : parts) {
    if (!text.empty()) text += ',';
    text += each;
  }
  return text;
}

// The list after APPEND or SUBTRACT.
Verdict<std::string> edit_list(const Resource& resource, const std::string& key, bool append,
                               const std::string& operand, const meta::Configs& configs,
                               const ConfigRules& rules) {
  if (!rules.is_list || !rules.is_list(resource.kind, key)) {
    return refuse(ErrorCode::kInvalidConfig, std::string("Can't ") +
                                                 (append ? "APPEND" : "SUBTRACT") + " to key " +
                                                 key + " because its type is not LIST.");
  }
  std::string before;
  if (auto found = configs.find(key); found != configs.end()) {
    before = found->second;
  } else if (rules.default_value) {
    before = rules.default_value(resource.kind, key);
  }
  std::vector<std::string> parts = split_list(before);
  for (const std::string& each : split_list(operand)) {
    if (!append) {
      std::erase(parts, each);
    } else if (std::ranges::find(parts, each) == parts.end()) {
      parts.push_back(each);
    }
  }
  return join_list(parts);
}

Verdict<meta::Configs> apply_ops(const proto::IncrementalAlterConfigsRequest::Resource& request,
                                 const Resource& resource, const ConfigRules& rules) {
  meta::Configs configs = *resource.current;
  std::set<std::string> seen;
  for (const auto& each : request.configs()) {
    if (!seen.insert(each.key()).second) {
      return refuse(ErrorCode::kInvalidRequest, "A config is named twice.");
    }
    if (each.op() != proto::CONFIG_OP_DELETE && !each.has_value()) {
      return refuse(ErrorCode::kInvalidRequest, "No value is given for the config " + each.key());
    }
    switch (each.op()) {
      case proto::CONFIG_OP_SET:
        configs[each.key()] = each.value();
        break;
      case proto::CONFIG_OP_DELETE:
        configs.erase(each.key());
        break;
      case proto::CONFIG_OP_APPEND:
      case proto::CONFIG_OP_SUBTRACT: {
        auto edited = edit_list(resource, each.key(), each.op() == proto::CONFIG_OP_APPEND,
                                each.value(), configs, rules);
        if (!edited) return std::unexpected(edited.error());
        configs[each.key()] = std::move(*edited);
        break;
      }
      default:
        return refuse(ErrorCode::kInvalidRequest,
                      "Unknown operation type " + std::to_string(each.op()) + ".");
    }
  }
  return configs;
}

Verdict<meta::Configs> replace_all(const proto::AlterConfigsRequest::Resource& request) {
  meta::Configs configs;
  for (const auto& each : request.configs()) {
    if (!each.has_value()) {
      return refuse(ErrorCode::kInvalidRequest, "No value is given for the config " + each.key());
    }
    if (!configs.emplace(each.key(), each.value()).second) {
      return refuse(ErrorCode::kInvalidRequest, "A config is named twice.");
    }
  }
  return configs;
}

void add_records(proto::ConfigResource kind, const std::string& name, const meta::Configs& before,
                 const meta::Configs& after, std::vector<proto::Record>& out) {
  const auto add = [&](const std::string& key, const std::string* value) {
    auto* record = out.emplace_back().mutable_config();
    record->set_resource(kind);
    record->set_name(name);
    record->set_key(key);
    if (value) record->set_value(*value);
  };
  for (const auto& [key, value] : before) {
    if (!after.contains(key)) add(key, nullptr);
  }
  for (const auto& [key, value] : after) {
    auto found = before.find(key);
    if (found == before.end() || found->second != value) add(key, &value);
  }
}

// `next` makes the new overrides of one resource of the request.
template <class Request, class Next>
Decision<proto::AlterConfigsReply> alter(const Request& request, const meta::Image& image,
                                         const Settings& settings, Next next) {
  Decision<proto::AlterConfigsReply> out;
  std::map<std::pair<int, std::string>, int> times;
  for (const auto& each : request.resources()) ++times[{each.type(), each.name()}];
  for (const auto& each : request.resources()) {
    auto* reply = out.reply.add_resources();
    reply->set_type(each.type());
    reply->set_name(each.name());
    const auto judge = [&]() -> Verdict<void> {
      if (times[{each.type(), each.name()}] > 1) {
        return refuse(ErrorCode::kInvalidRequest, "A resource is named twice.");
      }
      auto resource = find_resource(each.type(), each.name(), image);
      if (!resource) return std::unexpected(resource.error());
      Verdict<meta::Configs> configs = next(each, *resource);
      if (!configs) return std::unexpected(configs.error());
      if (settings.config_rules.validate && *configs != *resource->current) {
        if (auto why = settings.config_rules.validate(resource->kind, *configs)) {
          return refuse(ErrorCode::kInvalidConfig, std::move(*why));
        }
      }
      if (!request.validate_only()) {
        add_records(resource->kind, each.name(), *resource->current, *configs, out.records);
        follow_config_change(resource->kind, each.name(), *configs, image, settings, out.records);
      }
      return {};
    };
    if (auto good = judge(); !good) set_error(reply->mutable_error(), good.error());
  }
  return out;
}

}  // namespace

Decision<proto::AlterConfigsReply> incremental_alter_configs(
    const proto::IncrementalAlterConfigsRequest& request, const meta::Image& image,
    const Settings& settings) {
  return alter(request, image, settings, [&](const auto& each, const Resource& resource) {
    return apply_ops(each, resource, settings.config_rules);
  });
}

Decision<proto::AlterConfigsReply> alter_configs(const proto::AlterConfigsRequest& request,
                                                 const meta::Image& image,
                                                 const Settings& settings) {
  return alter(request, image, settings,
               [](const auto& each, const Resource&) { return replace_all(each); });
}

}  // namespace controller::cluster
