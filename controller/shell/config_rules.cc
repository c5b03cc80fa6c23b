#include "controller/shell/config_rules.h"

#include "common/config/def.h"

namespace controller::shell {
namespace {

config::Resource resource_of(proto::ConfigResource resource) {
  switch (resource) {
    case proto::CONFIG_RESOURCE_TOPIC:
      return config::Resource::kTopic;
    case proto::CONFIG_RESOURCE_GROUP:
      return config::Resource::kGroup;
    default:
      return config::Resource::kBroker;
  }
}

}  // namespace

cluster::ConfigRules config_rules(const config::GivenValues& given) {
  cluster::ConfigRules rules;
  rules.validate = [](proto::ConfigResource resource,
                      const meta::Configs& overrides) -> std::optional<std::string> {
    const auto checked = resource_of(resource) == config::Resource::kBroker
                             ? config::validate_dynamic_broker(overrides, /*cluster_wide=*/false)
                             : config::validate(resource_of(resource), overrides);
    if (checked) return std::nullopt;
    return checked.error().message;
  };
  rules.is_list = [](proto::ConfigResource resource, std::string_view key) {
    return config::is_list(resource_of(resource), key);
  };
  rules.default_value = [given](proto::ConfigResource resource,
                                std::string_view key) -> std::string {
    const config::Def* def = config::find(resource_of(resource), key);
    if (def == nullptr) return "";
    const config::BrokerLayers layers{.given = &given};
    if (resource_of(resource) == config::Resource::kBroker) return layers.value(key).value_or("");
    for (const auto& synonym : def->synonyms) {
      if (auto value = layers.set_value(synonym.name)) return *value;
    }
    return std::string(def->default_value.value_or(""));
  };
  return rules;
}

}  // namespace controller::shell
