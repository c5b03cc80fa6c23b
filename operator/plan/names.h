// What owned objects are called, and the labels and owner that they bear. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "operator/plan/action.h"
#include "operator/types/json.h"

namespace kube {

enum class Role : std::uint8_t { kBroker, kController };
inline constexpr std::string_view name(Role role) {
  return role == Role::kBroker ? "broker" : "controller";
}

class Names {
 public:
  explicit Names(const Json& cluster);

  const std::string& cluster() const { return cluster_; }
  const std::string& uid() const { return uid_; }

  std::string brokers() const { return cluster_ + "-brokers"; }
  std::string controllers() const { return cluster_ + "-controllers"; }
  std::string bootstrap() const { return cluster_ + "-bootstrap"; }
  std::string online_config() const { return cluster_ + "-online-config"; }
  std::string pod(std::string_view pool, std::int32_t id) const;
  static std::string volume(const std::string& pod) { return "data-" + pod; }
  static std::string config(const std::string& pod) { return pod + "-config"; }

  // The name in DNS of a Service, or of a Pod behind a headless one.
  std::string address(const std::string& service) const;
  std::string address(Role role, const std::string& pod) const;

  // An object with its metadata: name, labels of all that is owned, and `owned`: goes with the
  // Cluster.
  Json object(std::string_view api_version, std::string_view kind, const std::string& name,
              bool owned = true) const;
  // With the labels of one component.
  Json object(std::string_view api_version, std::string_view kind, const std::string& name,
              Role role, bool owned = true) const;
  // Whether the object goes with this very Cluster.
  bool owns(const Json& object) const;
  Json owner() const;

  // Labels that select all Pods of a role.
  Json selector(Role role) const;

 private:
  std::string cluster_;
  std::string name_space_;
  std::string uid_;
};

// For messages and deletions.
ObjectName name_of(const Json& object);

}  // namespace kube
