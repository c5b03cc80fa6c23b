// Services and disruption budgets.
#include <algorithm>
#include <tuple>
#include <utility>

#include "operator/plan/labels.h"
#include "operator/plan/render.h"

namespace kube {
namespace {

Json port_of(std::string_view name, int number) {
  return {{"name", name}, {"port", number}, {"targetPort", number}, {"protocol", "TCP"}};
}

Json headless(const Names& names, Role role, const std::string& name, Json ports) {
  Json out = names.object("v1", "Service", name, role);
  out["spec"] = {{"clusterIP", "None"},
                 {"publishNotReadyAddresses", true},  // nodes find each other before they are ready
                 {"selector", names.selector(role)},
                 {"ports", std::move(ports)}};
  return out;
}

Json bootstrap(const Names& names, const ClusterSpec& spec) {
  Json ports = Json::array();
  for (const ListenerSpec& each : spec.listeners) {
    if (each.type == ListenerSpec::Type::kInternal) ports.push_back(port_of(each.name, each.port));
  }
  Json out = names.object("v1", "Service", names.bootstrap(), Role::kBroker);
  out["spec"] = {{"type", "ClusterIP"},
                 {"selector", names.selector(Role::kBroker)},
                 {"ports", std::move(ports)}};
  return out;
}

Json from_outside(const Names& names, const ListenerSpec& listener, const std::string& name) {
  const bool balanced = listener.type == ListenerSpec::Type::kLoadBalancer;
  Json out = names.object("v1", "Service", name, Role::kBroker);
  if (!listener.annotations.empty()) out["metadata"]["annotations"] = listener.annotations;
  out["spec"] = {{"type", balanced ? "LoadBalancer" : "NodePort"},
                 {"selector", names.selector(Role::kBroker)},
                 {"ports", Json::array({port_of(listener.name, listener.port)})}};
  return out;
}

std::string outside_service(const Names& names, const ListenerSpec& listener) {
  return names.cluster() + "-" + listener.name + "-bootstrap";
}

}  // namespace

std::string listener_service(const std::string& pod_name, const ListenerSpec& listener) {
  return pod_name + "-" + listener.name;
}

std::vector<Json> render_services(const Names& names, const ClusterSpec& spec,
                                  const std::vector<Node>& brokers) {
  std::vector<Json> out;
  out.push_back(headless(
      names, Role::kController, names.controllers(),
      Json::array({port_of("controller", port::kController), port_of("http", port::kHttp)})));
  Json ports = Json::array({port_of("internal", port::kInternal), port_of("http", port::kHttp)});
  for (const ListenerSpec& each : spec.listeners) ports.push_back(port_of(each.name, each.port));
  out.push_back(headless(names, Role::kBroker, names.brokers(), std::move(ports)));
  out.push_back(bootstrap(names, spec));
  for (const ListenerSpec& listener : spec.listeners) {
    if (listener.type == ListenerSpec::Type::kInternal) continue;
    out.push_back(from_outside(names, listener, outside_service(names, listener)));
    for (const Node& node : brokers) {
      Json service = from_outside(names, listener, listener_service(node.pod_name, listener));
      service["spec"]["selector"][label::kNodeId] = std::to_string(node.id);
      service["spec"]["publishNotReadyAddresses"] = true;
      out.push_back(std::move(service));
    }
  }
  return out;
}

Json render_budget(const Names& names, Role role, int count) {
  Json out = names.object("policy/v1", "PodDisruptionBudget",
                          role == Role::kBroker ? names.brokers() : names.controllers(), role);
  // Not maxUnavailable: Kubernetes knows that of its own controllers only.
  out["spec"] = {{"minAvailable", std::max(0, count - 1)},
                 {"selector", {{"matchLabels", names.selector(role)}}}};
  return out;
}

namespace {

const Json* service_called(const std::string& name, const std::vector<Json>& objects) {
  const auto at = std::ranges::find_if(objects, [&](const Json& each) {
    return text_at(each, {"kind"}) == "Service" && text_at(each, {"metadata", "name"}) == name;
  });
  return at == objects.end() ? nullptr : &*at;
}

std::string with_node_id(std::string text, std::int32_t id) {
  constexpr std::string_view kPlace = "{nodeId}";
  for (std::size_t at = text.find(kPlace); at != std::string::npos; at = text.find(kPlace, at)) {
    text.replace(at, kPlace.size(), std::to_string(id));
  }
  return text;
}

// What Kubernetes says: host and port, or an empty host while it does not.
std::pair<std::string, std::int64_t> given_address(const ListenerSpec& listener,
                                                   const Json* service) {
  if (service == nullptr) return {};
  if (listener.type == ListenerSpec::Type::kNodePort) {
    const Json& ports = list_at(*service, {"spec", "ports"});
    const std::int64_t number = ports.empty() ? 0 : number_at(ports[0], {"nodePort"});
    if (number == 0) return {};
    return {std::string(kHostIp), number};
  }
  const Json& ingress = list_at(*service, {"status", "loadBalancer", "ingress"});
  if (ingress.empty()) return {};
  return {text_at(ingress[0], {"hostname"}, text_at(ingress[0], {"ip"})), listener.port};
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return text;
}

}  // namespace

std::pair<std::string, std::int64_t> bootstrap_address(const Names& names,
                                                       const ListenerSpec& listener,
                                                       const std::vector<Json>& objects) {
  return given_address(listener, service_called(outside_service(names, listener), objects));
}

std::optional<std::string> advertised_listeners(const Names& names, const ClusterSpec& spec,
                                                const Node& broker,
                                                const std::vector<Json>& objects,
                                                std::string& waiting) {
  const std::string within = names.address(Role::kBroker, broker.pod_name);
  std::string out = "INTERNAL://" + within + ":" + std::to_string(port::kInternal);
  for (const ListenerSpec& each : spec.listeners) {
    std::string host = within;
    std::int64_t number = each.port;
    if (each.type != ListenerSpec::Type::kInternal) {
      const std::string service = listener_service(broker.pod_name, each);
      std::tie(host, number) = given_address(each, service_called(service, objects));
      if (!each.advertised_host.empty()) host = with_node_id(each.advertised_host, broker.id);
      if (each.advertised_port != 0) number = each.advertised_port + broker.id;
      if (host.empty() || number == 0) {
        waiting = service;
        return std::nullopt;
      }
    }
    out += "," + upper(each.name) + "://" + host + ":" + std::to_string(number);
  }
  return out;
}

}  // namespace kube
