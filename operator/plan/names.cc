#include "operator/plan/names.h"

#include <algorithm>

#include "operator/plan/labels.h"

namespace kube {

Names::Names(const Json& cluster)
    : cluster_(text_at(cluster, {"metadata", "name"})),
      name_space_(text_at(cluster, {"metadata", "namespace"})),
      uid_(text_at(cluster, {"metadata", "uid"})) {}

std::string Names::pod(std::string_view pool, std::int32_t id) const {
  return cluster_ + "-" + std::string(pool) + "-" + std::to_string(id);
}

std::string Names::address(const std::string& service) const {
  return service + "." + name_space_ + ".svc";
}

std::string Names::address(Role role, const std::string& pod) const {
  return pod + "." + address(role == Role::kBroker ? brokers() : controllers());
}

Json Names::owner() const {
  return {{"apiVersion", kApiVersion}, {"kind", "Cluster"},
          {"name", cluster_},          {"uid", uid_},
          {"controller", true},        {"blockOwnerDeletion", true}};
}

Json Names::object(std::string_view api_version, std::string_view kind, const std::string& name,
                   bool owned) const {
  Json out = {{"apiVersion", api_version},
              {"kind", kind},
              {"metadata",
               {{"name", name},
                {"namespace", name_space_},
                {"labels",
                 {{label::kName, "moldau"},
                  {label::kInstance, cluster_},
                  {label::kManagedBy, kFieldManager},
                  {label::kCluster, cluster_}}}}}};
  if (owned) out["metadata"]["ownerReferences"] = Json::array({owner()});
  return out;
}

Json Names::object(std::string_view api_version, std::string_view kind, const std::string& name,
                   Role role, bool owned) const {
  Json out = object(api_version, kind, name, owned);
  out["metadata"]["labels"][label::kComponent] = kube::name(role);
  return out;
}

bool Names::owns(const Json& object) const {
  return std::ranges::any_of(list_at(object, {"metadata", "ownerReferences"}),
                             [&](const Json& each) { return text_at(each, {"uid"}) == uid_; });
}

Json Names::selector(Role role) const {
  return {{label::kCluster, cluster_}, {label::kComponent, kube::name(role)}};
}

ObjectName name_of(const Json& object) {
  return {text_at(object, {"apiVersion"}), text_at(object, {"kind"}),
          text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
}

}  // namespace kube
