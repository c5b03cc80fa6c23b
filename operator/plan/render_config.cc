// Configuration files: Kafka's keys, one a line.
#include "common/config/def.h"
#include "operator/plan/labels.h"
#include "operator/plan/render.h"

namespace kube {
namespace {

using Lines = std::map<std::string, std::string>;

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return text;
}

void add_broker_lines(const ClusterSpec& spec, Lines& lines) {
  std::string listeners = "INTERNAL://:" + std::to_string(port::kInternal);
  std::string protocols = "INTERNAL:PLAINTEXT";
  for (const ListenerSpec& each : spec.listeners) {
    listeners += "," + upper(each.name) + "://:" + std::to_string(each.port);
    protocols += "," + upper(each.name) + ":PLAINTEXT";
  }
  lines["listeners"] = listeners;
  lines["listener.security.protocol.map"] = protocols;
  lines["inter.broker.listener.name"] = "INTERNAL";
  lines["log.dirs"] = "/var/lib/moldau/logs";
}

void add_controller_lines(Lines& lines) {
  lines["moldau.grpc.listen"] = "0.0.0.0:" + std::to_string(port::kController);
  lines["log.dirs"] = "/var/lib/moldau/controller";
}

}  // namespace

SplitConfig split_config(const std::map<std::string, std::string>& config) {
  SplitConfig out;
  for (const auto& [key, value] : config) {
    const config::Def* def = config::find(config::Resource::kBroker, key);
    const bool online = def != nullptr && def->change == config::Change::kClusterWide &&
                        def->effect == config::Effect::kEffective;
    (online ? out.online : out.at_start)[key] = value;
  }
  return out;
}

std::string render_voters(const Names& names, const std::set<std::int32_t>& controllers) {
  std::string out;
  for (const std::int32_t id : controllers) {
    out += (out.empty() ? "" : ",") + std::to_string(id) + "@" +
           names.address(Role::kController, names.pod("controller", id)) + ":" +
           std::to_string(port::kController);
  }
  return out;
}

Json render_config(const Names& names, const ClusterSpec& spec, const Node& node,
                   const NodePlan& plan, const std::string& voters, const std::string& rack) {
  Lines lines(plan.config.begin(), plan.config.end());
  lines["node.id"] = std::to_string(node.id);
  lines["controller.quorum.voters"] = voters;
  lines["moldau.http.listen"] = "0.0.0.0:" + std::to_string(port::kHttp);
  lines["moldau.data.dir"] = "/var/lib/moldau";
  if (node.role == Role::kBroker) {
    add_broker_lines(spec, lines);
    if (!rack.empty()) lines["broker.rack"] = rack;
  } else {
    add_controller_lines(lines);
  }
  std::string text = "# Written by moldau-operator: changes here are lost.\n";
  for (const auto& [key, value] : lines) text += key + ": " + Json(value).dump() + "\n";
  Json out = names.object("v1", "ConfigMap", Names::config(node.pod_name), node.role);
  out["data"] = {{std::string(name(node.role)) + ".yaml", text}};
  return out;
}

}  // namespace kube
