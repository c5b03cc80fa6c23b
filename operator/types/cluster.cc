#include "operator/types/cluster.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "common/config/def.h"
#include "operator/types/topic.h"

namespace kube {
namespace {

NodePool pool_of(const Json& from, std::string name) {
  NodePool out;
  out.name = std::move(name);
  out.replicas = static_cast<std::int32_t>(number_at(from, {"replicas"}));
  out.resources = object_at(from, {"resources"});
  out.storage_size = text_at(from, {"storage", "size"});
  if (const Json* named = find(from, {"storage", "class"})) out.storage_class = *named;
  out.pod = object_at(from, {"template"});
  return out;
}

ListenerSpec listener_of(const Json& from) {
  ListenerSpec out;
  out.name = text_at(from, {"name"});
  out.port = static_cast<std::uint16_t>(number_at(from, {"port"}));
  const std::string type = text_at(from, {"type"});
  if (type == "nodePort") out.type = ListenerSpec::Type::kNodePort;
  if (type == "loadBalancer") out.type = ListenerSpec::Type::kLoadBalancer;
  out.advertised_host = text_at(from, {"advertisedHost"});
  out.advertised_port = static_cast<std::int32_t>(number_at(from, {"advertisedPort"}));
  out.annotations = object_at(from, {"annotations"});
  return out;
}

std::optional<MaintenanceWindow> window_of(const Json& policy) {
  const Json* from = find(policy, {"maintenanceWindow"});
  if (from == nullptr) return std::nullopt;
  constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
  MaintenanceWindow out;
  for (const Json& day : list_at(*from, {"days"})) {
    const auto at = std::ranges::find(kDays, day.get<std::string>());
    out.days.push_back(static_cast<int>(at - std::begin(kDays)));
  }
  const std::string start = text_at(*from, {"start"});  // HH:MM, as its pattern says
  const auto digit = [&](std::size_t at) { return start[at] - '0'; };
  out.start_minute = (digit(0) * 10 + digit(1)) * 60 + digit(3) * 10 + digit(4);
  out.minutes = static_cast<int>(number_at(*from, {"minutes"}));
  return out;
}

// spec.metrics is said in other words: a config, and annotations that the spec's own may replace.
void add_metrics(const Json& metrics, ClusterSpec& out) {
  if (flag_at(metrics, {"kafkaNames"})) {
    out.config.try_emplace("moldau.metrics.kafka.names", "true");
  }
  if (!flag_at(metrics, {"scrapeAnnotations"})) return;
  const auto annotate = [](NodePool& pool) {
    Json all = {{"prometheus.io/scrape", "true"},
                {"prometheus.io/port", "9644"},
                {"prometheus.io/path", "/metrics"}};
    all.update(object_at(pool.pod, {"annotations"}));
    pool.pod["annotations"] = std::move(all);
  };
  std::ranges::for_each(out.pools, annotate);
  annotate(out.controllers);
}

ClusterSpec spec_of(const Json& from) {
  ClusterSpec out;
  out.version = text_at(from, {"version"});
  out.image = text_at(from, {"image"});
  out.pools.push_back(pool_of(object_at(from, {"brokers"}), "broker"));
  for (const Json& each : list_at(from, {"brokerPools"})) {
    out.pools.push_back(pool_of(each, text_at(each, {"name"})));
  }
  out.controllers = pool_of(object_at(from, {"controllers"}), "controller");
  out.rack_topology_key = text_at(from, {"rack", "topologyKey"});
  for (const Json& each : list_at(from, {"listeners"})) out.listeners.push_back(listener_of(each));
  out.config = config_texts(object_at(from, {"config"}));
  add_metrics(object_at(from, {"metrics"}), out);
  out.paused = flag_at(from, {"updatePolicy", "paused"});
  out.max_unavailable = static_cast<int>(number_at(from, {"updatePolicy", "maxUnavailable"}, 1));
  out.window = window_of(object_at(from, {"updatePolicy"}));
  if (text_at(from, {"deletionPolicy"}) == "Delete") {
    out.deletion_policy = DeletionPolicy::kDelete;
  }
  return out;
}

// Configs that follow from the rest of the spec.
constexpr std::string_view kOwnConfigs[] = {"advertised.listeners",
                                            "broker.rack",
                                            "controller.quorum.voters",
                                            "inter.broker.listener.name",
                                            "listener.security.protocol.map",
                                            "listeners",
                                            "log.dir",
                                            "log.dirs",
                                            "metadata.log.dir",
                                            "moldau.cluster.id",
                                            "moldau.data.dir",
                                            "moldau.grpc.listen",
                                            "moldau.http.listen",
                                            "node.id"};

void look_at_config(const ClusterSpec& spec, std::vector<Problem>& out) {
  for (const auto& [key, value] : spec.config) {
    const std::string field = "spec.config." + key;
    const config::Def* def = config::find(config::Resource::kBroker, key);
    if (std::ranges::find(kOwnConfigs, key) != std::end(kOwnConfigs)) {
      out.push_back({field, "follows from the rest of the spec, and cannot be set here"});
    } else if (def == nullptr) {
      const auto meant = config::did_you_mean(config::Resource::kBroker, key);
      out.push_back({field, "there is no such config" +
                                (meant ? "; did you mean " + std::string(*meant) + "?" : "")});
    } else if (const auto parsed = config::parse_value(*def, value); !parsed) {
      out.push_back({field, parsed.error().message});
    }
  }
}

void look_at_listener(const ListenerSpec& listener, const std::string& at,
                      std::vector<Problem>& out) {
  const bool internal = listener.type == ListenerSpec::Type::kInternal;
  if (listener.port == 9091 || listener.port == 9094 || listener.port == 9644) {
    out.push_back({at + ".port", "9091, 9094 and 9644 are used by the cluster itself"});
  }
  if (listener.name == "internal" || listener.name == "controller" || listener.name == "http") {
    out.push_back({at + ".name", "internal, controller and http are taken"});
  }
  if (internal && !listener.advertised_host.empty()) {
    out.push_back({at + ".advertisedHost", "not of an internal listener"});
  }
  if (internal && listener.advertised_port != 0) {
    out.push_back({at + ".advertisedPort", "not of an internal listener"});
  }
}

// What a schema cannot say, or says only in CEL.
std::vector<Problem> contradictions(const ClusterSpec& spec, const std::string& name) {
  std::vector<Problem> out;
  if (name.size() > 30 || name.contains('.')) {
    out.push_back({"metadata.name", "must have at most 30 characters, and no dots"});
  }
  std::set<std::uint16_t> ports;
  for (std::size_t i = 0; i < spec.listeners.size(); ++i) {
    const ListenerSpec& each = spec.listeners[i];
    const std::string at = "spec.listeners[" + std::to_string(i) + "]";
    look_at_listener(each, at, out);
    if (!ports.insert(each.port).second) out.push_back({at + ".port", "another listener has it"});
    if (i == 0 && each.type != ListenerSpec::Type::kInternal) {
      out.push_back({at + ".type", "the first listener must be internal"});
    }
  }
  for (std::size_t i = 1; i < spec.pools.size(); ++i) {
    if (spec.pools[i].name != "broker" && spec.pools[i].name != "controller") continue;
    out.push_back({"spec.brokerPools[" + std::to_string(i - 1) + "].name",
                   "broker and controller are taken"});
  }
  look_at_config(spec, out);
  return out;
}

}  // namespace

std::expected<ClusterSpec, std::vector<Problem>> cluster_spec(const Json& resource) {
  const Json& schema = object_at(cluster_schema(), {"properties", "spec"});
  const Json* given = find(resource, {"spec"});
  const Json spec = with_defaults(schema, given ? *given : Json::object());
  if (auto problems = check(schema, spec, "spec"); !problems.empty()) {
    return std::unexpected(std::move(problems));
  }
  ClusterSpec out = spec_of(spec);
  auto problems = contradictions(out, text_at(resource, {"metadata", "name"}));
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return out;
}

}  // namespace kube
