// Pods, and when one must be made anew.
#include <algorithm>

#include "common/config/yaml_config.h"
#include "operator/plan/labels.h"
#include "operator/plan/render.h"

namespace kube {
namespace {

constexpr std::int64_t kUser = 10001;

Json security() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", {{"drop", Json::array({"ALL"})}}}};
}

Json pod_security() {
  return {{"runAsNonRoot", true},
          {"runAsUser", kUser},
          {"runAsGroup", kUser},
          {"fsGroup", kUser},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

Json probe(const char* path, int every_s, int failures, int timeout_s) {
  return {{"httpGet", {{"path", path}, {"port", "http"}}},
          {"periodSeconds", every_s},
          {"failureThreshold", failures},
          {"timeoutSeconds", timeout_s}};
}

Json ports(const ClusterSpec& spec, Role role) {
  const auto port = [](std::string_view name, int number) {
    return Json{{"name", name}, {"containerPort", number}, {"protocol", "TCP"}};
  };
  Json out = Json::array({port("http", port::kHttp)});
  if (role == Role::kController) {
    out.push_back(port("controller", port::kController));
    return out;
  }
  out.push_back(port("internal", port::kInternal));
  for (const ListenerSpec& each : spec.listeners) out.push_back(port(each.name, each.port));
  return out;
}

Json container(const ClusterSpec& spec, const Node& node, const NodePlan& plan) {
  const std::string role(name(node.role));
  Json out = {
      {"name", role},
      {"image", plan.image},
      {"command", Json::array({"/usr/bin/moldau-" + role})},
      {"args", Json::array({"--config", "/etc/moldau/" + role + ".yaml", "--log-format", "json"})},
      {"ports", ports(spec, node.role)},
      {"securityContext", security()},
      // A node that opens its logs for an hour is alive; only one whose threads do not turn
      // is not. So neither probe looks at whether it is ready.
      {"startupProbe", probe("/livez", 1, 120, 5)},
      {"livenessProbe", probe("/livez", 10, 6, 10)},
      {"readinessProbe", probe("/readyz", 2, 3, 5)},
      {"terminationMessagePolicy", "FallbackToLogsOnError"},
      {"volumeMounts",
       Json::array({{{"name", "data"}, {"mountPath", "/var/lib/moldau"}},
                    {{"name", "config"}, {"mountPath", "/etc/moldau"}, {"readOnly", true}},
                    {{"name", "tmp"}, {"mountPath", "/tmp"}}})}};
  if (!plan.pool->resources.empty()) out["resources"] = plan.pool->resources;
  if (node.role == Role::kBroker) {
    const Json address = {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "status.hostIP"}}}};
    out["env"] = Json::array(
        {{{"name", "HOST_IP"}, {"valueFrom", address}},
         {{"name", config::environment_name("advertised.listeners")}, {"value", plan.advertised}}});
  }
  return out;
}

Json volumes(const Node& node) {
  return Json::array(
      {{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", Names::volume(node.pod_name)}}}},
       {{"name", "config"}, {"configMap", {{"name", Names::config(node.pod_name)}}}},
       {{"name", "tmp"}, {"emptyDir", {{"sizeLimit", "64Mi"}}}}});
}

// Different hosts where there are enough.
Json apart(const Names& names, Role role) {
  const Json term = {{"topologyKey", "kubernetes.io/hostname"},
                     {"labelSelector", {{"matchLabels", names.selector(role)}}}};
  return {{"podAntiAffinity",
           {{"preferredDuringSchedulingIgnoredDuringExecution",
             Json::array({{{"weight", 100}, {"podAffinityTerm", term}}})}}}};
}

void add_racks(const Names& names, const ClusterSpec& spec, Role role, Json& out) {
  if (spec.rack_topology_key.empty() || out.contains("topologySpreadConstraints")) return;
  out["topologySpreadConstraints"] =
      Json::array({{{"maxSkew", 1},
                    {"topologyKey", spec.rack_topology_key},
                    {"whenUnsatisfiable", "ScheduleAnyway"},
                    {"labelSelector", {{"matchLabels", names.selector(role)}}}}});
}

// 64-bit FNV-1a.
std::string hash_of(const Json& value) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : value.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[(hash >> shift) & 15];
  return out;
}

}  // namespace

// Made from what was asked for and not from the Pod that follows from it: a newer operator that
// writes other probes restarts nobody.
std::string revision(const Node& node, const ClusterSpec& spec, const NodePlan& plan) {
  Json from = {{"image", plan.image},
               {"resources", plan.pool->resources},
               {"template", plan.pool->pod},
               {"config", plan.config}};
  if (node.role == Role::kBroker) {
    from["advertised"] = plan.advertised;
    for (const ListenerSpec& each : spec.listeners) from["ports"].push_back(each.port);
  }
  if (!spec.rack_topology_key.empty()) from["rack"] = spec.rack_topology_key;
  return hash_of(from);
}

Json render_pod(const Names& names, const ClusterSpec& spec, const Node& node,
                const NodePlan& plan) {
  const Json& more = plan.pool->pod;
  Json out = names.object("v1", "Pod", node.pod_name, node.role);
  Json labels = object_at(more, {"labels"});
  labels.update(out["metadata"]["labels"]);
  labels[label::kPool] = node.pool;
  labels[label::kNodeId] = std::to_string(node.id);
  out["metadata"]["labels"] = std::move(labels);
  Json annotations = object_at(more, {"annotations"});
  annotations[annotation::kRevision] = revision(node, spec, plan);
  out["metadata"]["annotations"] = std::move(annotations);
  const bool broker = node.role == Role::kBroker;
  Json inside = {
      {"hostname", node.pod_name},
      {"subdomain", broker ? names.brokers() : names.controllers()},
      {"restartPolicy", "Always"},
      {"automountServiceAccountToken", false},
      // Variables of a Service named moldau-... would be taken for configuration.
      {"enableServiceLinks", false},
      {"securityContext", pod_security()},
      {"terminationGracePeriodSeconds", number_at(more, {"terminationGracePeriodSeconds"}, 60)},
      {"affinity", apart(names, node.role)},
      {"containers", Json::array({container(spec, node, plan)})},
      {"volumes", volumes(node)}};
  for (const char* field : {"nodeSelector", "affinity", "tolerations", "topologySpreadConstraints",
                            "imagePullSecrets", "priorityClassName"}) {
    if (const Json* given = find(more, {field})) inside[field] = *given;
  }
  add_racks(names, spec, node.role, inside);
  out["spec"] = std::move(inside);
  return out;
}

}  // namespace kube
