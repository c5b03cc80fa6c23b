// Configs that brokers take while they run: set for all of them at once in the metadata log. Which
// keys were set from here stands in a ConfigMap, written before they are set and cleared after they
// are reset, so that none is forgotten.
#include <algorithm>

#include "operator/plan/draft.h"

namespace kube {
namespace {

constexpr const char* kToReset = "(to be reset)";

const Json* recorded(const Draft& draft) {
  const auto at = std::ranges::find_if(draft.have.objects, [&](const Json& each) {
    return text_at(each, {"kind"}) == "ConfigMap" &&
           text_at(each, {"metadata", "name"}) == draft.names.online_config();
  });
  return at == draft.have.objects.end() ? nullptr : &*at;
}

}  // namespace

void change_online(Draft& draft) {
  const Json* before = recorded(draft);
  if (draft.control == nullptr || (before == nullptr && draft.config.online.empty())) return;
  const auto& set = draft.control->cluster_configs;
  ConfigChanges changes;
  Json data = Json::object();
  for (const auto& [key, value] : draft.config.online) {
    data[key] = value;
    const auto at = set.find(key);
    if (at == set.end() || at->second != value) changes[key] = value;
  }
  if (before != nullptr) {
    for (const auto& [key, value] : object_at(*before, {"data"}).items()) {
      if (data.contains(key) || !set.contains(key)) continue;
      data[key] = kToReset;
      changes[key] = std::nullopt;
    }
  }
  if (before == nullptr || object_at(*before, {"data"}) != data) {
    Json record = draft.names.object("v1", "ConfigMap", draft.names.online_config(), Role::kBroker);
    record["data"] = data;
    draft.actions.push_back(ApplyObject{std::move(record)});
  }
  if (!changes.empty()) draft.actions.push_back(AlterClusterConfigs{std::move(changes)});
}

}  // namespace kube
