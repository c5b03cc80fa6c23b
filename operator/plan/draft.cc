#include "operator/plan/draft.h"

#include <algorithm>
#include <utility>

#include "operator/types/conditions.h"

namespace kube {
namespace {

constexpr std::size_t kNoteMax = 1'000;  // the API server drops longer ones

std::string image_for(const ClusterSpec& spec, const OperatorSettings& settings) {
  if (!spec.image.empty()) return spec.image;
  if (spec.version.empty()) return settings.image;
  // The tag stands behind the last colon that is not of a port: "host:5000/moldau:dev".
  const std::size_t slash = settings.image.rfind('/');
  const std::size_t colon = settings.image.rfind(':');
  const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
  return settings.image.substr(0, tagged ? colon : std::string::npos) + ":" + spec.version;
}

}  // namespace

Draft::Draft(const ClusterHave& seen, const OperatorSettings& settings, ClusterSpec wanted,
             base::WallMs wall)
    : have(seen),
      control(seen.control ? &*seen.control : nullptr),
      now(wall),
      names(seen.resource),
      spec(std::move(wanted)),
      image(image_for(spec, settings)),
      config(split_config(spec.config)) {
  for (const NodePool& each : spec.pools) pools[each.name] = each;
  pools[spec.controllers.name] = spec.controllers;
  for (Node& each : nodes_of(names, seen.objects)) {
    DraftNode node{std::move(each), {}};
    node.marks = marks_of(node);
    nodes.push_back(std::move(node));
    // A pool that left the spec: its brokers are as those of the first until they are gone.
    const std::string& pool = nodes.back().pool;
    if (pools.contains(pool)) continue;
    NodePool left = spec.pools.front();
    left.name = pool;
    left.replicas = 0;
    left.storage_class.reset();
    pools[pool] = std::move(left);
  }
}

const BrokerSeen* Draft::broker_seen(std::int32_t id) const {
  if (control == nullptr) return nullptr;
  const auto at = std::ranges::find(control->brokers, id, &BrokerSeen::id);
  return at == control->brokers.end() ? nullptr : &*at;
}

bool Draft::is_voter(std::int32_t id) const {
  return control != nullptr && std::ranges::count(control->voters, id, &VoterSeen::id) > 0;
}

bool Draft::finds(FindingSeen::Kind kind) const {
  return control != nullptr && std::ranges::count(control->findings, kind, &FindingSeen::kind) > 0;
}

bool Draft::is_established() const {
  if (control != nullptr && !control->brokers.empty()) return true;
  return std::ranges::any_of(nodes, [](const DraftNode& each) {
    return each.role == Role::kBroker && phase_of(each) == PodPhase::kReady;
  });
}

std::vector<DraftNode*> Draft::live(Role role) {
  std::vector<DraftNode*> out;
  for (DraftNode& each : nodes) {
    if (each.role == role && each.lives()) out.push_back(&each);
  }
  return out;
}

int Draft::count(Role role) const {
  return static_cast<int>(std::ranges::count_if(
      nodes, [&](const DraftNode& each) { return each.role == role && each.lives(); }));
}

std::optional<NodePlan> Draft::node_plan(const DraftNode& node) {
  NodePlan out{&pools.at(node.pool), image, "", config.at_start};
  if (node.role == Role::kController) return out;
  std::string waiting;
  auto advertised = advertised_listeners(names, spec, node, have.objects, waiting);
  if (!advertised) {
    progress.push_back({reason::kWaitingForAddress, "Service " + waiting + " has no address yet."});
    return std::nullopt;
  }
  out.advertised = std::move(*advertised);
  return out;
}

void Draft::event(EmitEvent::Type type, std::string_view reason, std::string action,
                  std::string note, const Json* related) {
  if (note.size() > kNoteMax) note.resize(kNoteMax);
  EmitEvent out{type, std::string(reason), std::move(action), std::move(note), std::nullopt};
  if (related != nullptr) out.related = name_of(*related);
  actions.push_back(std::move(out));
}

void Draft::remove(const Json& object, bool exactly_as_seen) {
  actions.push_back(
      DeleteObject{name_of(object), text_at(object, {"metadata", "uid"}),
                   exactly_as_seen ? text_at(object, {"metadata", "resourceVersion"}) : ""});
}

}  // namespace kube
