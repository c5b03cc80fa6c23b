// What must be there all the time: Services, budgets, volumes, configurations, Pods. And nothing
// else of ours.
#include <algorithm>

#include "operator/plan/draft.h"
#include "operator/plan/labels.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

const Json* there(const Draft& draft, const Json& want) {
  const auto at = std::ranges::find_if(draft.have.objects, [&](const Json& each) {
    return text_at(each, {"kind"}) == text_at(want, {"kind"}) &&
           text_at(each, {"metadata", "name"}) == text_at(want, {"metadata", "name"});
  });
  return at == draft.have.objects.end() ? nullptr : &*at;
}

void keep(Draft& draft, Json want, std::set<std::string>& kept) {
  kept.insert(text_at(want, {"kind"}) + "/" + text_at(want, {"metadata", "name"}));
  const Json* have = there(draft, want);
  if (is_ending(have)) return;
  // Of data nothing may be too much: a file that is not ours would be read.
  const bool same = have != nullptr && is_within(want, *have) &&
                    object_at(want, {"data"}) == object_at(*have, {"data"});
  if (!same) draft.actions.push_back(ApplyObject{std::move(want)});
}

void keep_volume(Draft& draft, const DraftNode& node) {
  // A retired node's volume is only marked, and one that is going is let go.
  if (is_ending(node.volume) || (node.volume == nullptr && !node.lives())) return;
  const NodePool& pool = draft.pools.at(node.pool);
  Json want = render_volume(draft.names, draft.spec, node, pool, node.marks);
  if (node.volume == nullptr || volume_differs(draft.names, want, *node.volume)) {
    draft.actions.push_back(ApplyObject{std::move(want)});
  }
  if (node.volume == nullptr || !node.lives()) return;
  const auto asked = amount_of(text_at(*node.volume, {"spec", "resources", "requests", "storage"}));
  const auto given = amount_of(text_at(*node.volume, {"status", "capacity", "storage"}));
  if (asked && given && *given < *asked) {
    draft.progress.push_back(
        {reason::kVolumeResizing, "Volume " + Names::volume(node.pod_name) + " grows."});
  }
}

// controller.quorum.voters of a node. One that is to join an existing quorum is not in its own.
std::string voters_for(Draft& draft, const DraftNode& node) {
  std::set<std::int32_t> ids;
  for (const DraftNode* each : draft.live(Role::kController)) ids.insert(each->id);
  const bool joins = node.role == Role::kController && draft.control != nullptr &&
                     !draft.is_voter(node.id) && ids.size() > 1;
  if (joins) {
    ids.erase(node.id);
    std::erase_if(ids, [&](std::int32_t id) { return !draft.is_voter(id); });
  }
  return render_voters(draft.names, ids);
}

// Nothing while it is not known.
std::optional<std::string> rack_of(const Draft& draft, const DraftNode& node) {
  if (draft.spec.rack_topology_key.empty() || node.role == Role::kController) return "";
  if (node.pod == nullptr) return std::nullopt;
  const std::string machine = text_at(*node.pod, {"spec", "nodeName"});
  if (machine.empty()) return std::nullopt;
  const auto rack = draft.have.node_racks.find(machine);
  return rack == draft.have.node_racks.end() ? "" : rack->second;
}

void keep_config(Draft& draft, const DraftNode& node, const NodePlan& plan,
                 std::set<std::string>& kept) {
  kept.insert("ConfigMap/" + Names::config(node.pod_name));
  const auto rack = rack_of(draft, node);
  // The Pod is scheduled first; until its rack is known it waits for this file.
  if (!rack) return;
  // Who votes is known only while a controller answers; what stands there is good till then.
  const bool unsure = node.role == Role::kController && draft.control == nullptr &&
                      node.marks.founders.empty() && node.config != nullptr;
  if (unsure || draft.count(Role::kController) == 0) return;
  keep(draft, render_config(draft.names, draft.spec, node, plan, voters_for(draft, node), *rack),
       kept);
}

void keep_pod(Draft& draft, const DraftNode& node, const NodePlan& plan) {
  switch (phase_of(node)) {
    case PodPhase::kAbsent:
      if (is_ending(node.volume)) return;
      draft.actions.push_back(ApplyObject{render_pod(draft.names, draft.spec, node, plan)});
      return;
    case PodPhase::kEnded:
      draft.event(EmitEvent::Type::kWarning, reason::kPodNotReady, "Replace",
                  node.pod_name + " has ended and is made anew. " + complaint_of(node), node.pod);
      return draft.remove(*node.pod, false);
    case PodPhase::kEnding:
    case PodPhase::kStuck:
    case PodPhase::kStarting:
    case PodPhase::kReady:
      return;
  }
}

void keep_node(Draft& draft, const DraftNode& node, std::set<std::string>& kept) {
  kept.insert("Pod/" + node.pod_name);
  if (!node.lives()) {
    // Its file stays until its Pod is gone.
    if (node.pod != nullptr) kept.insert("ConfigMap/" + Names::config(node.pod_name));
    return;
  }
  const auto plan = draft.node_plan(node);
  if (!plan) {
    kept.insert("ConfigMap/" + Names::config(node.pod_name));
    return;
  }
  keep_config(draft, node, *plan, kept);
  keep_pod(draft, node, *plan);
}

void remove_rest(Draft& draft, const std::set<std::string>& kept) {
  for (const Json& each : draft.have.objects) {
    const std::string kind = text_at(each, {"kind"});
    if (kind != "Service" && kind != "ConfigMap" && kind != "PodDisruptionBudget") continue;
    if (!draft.names.owns(each) || is_ending(&each)) continue;
    if (kept.contains(kind + "/" + text_at(each, {"metadata", "name"}))) continue;
    draft.remove(each, false);
  }
}

}  // namespace

void keep_up(Draft& draft) {
  std::set<std::string> kept = {"ConfigMap/" + draft.names.online_config()};
  std::vector<Node> brokers;
  for (const DraftNode* each : draft.live(Role::kBroker)) brokers.push_back(*each);
  for (Json& each : render_services(draft.names, draft.spec, brokers)) {
    keep(draft, std::move(each), kept);
  }
  for (const Role role : {Role::kController, Role::kBroker}) {
    keep(draft, render_budget(draft.names, role, draft.count(role)), kept);
  }
  // Controllers first: brokers' volumes without controllers' are a cluster that lost its identity.
  for (const Role role : {Role::kController, Role::kBroker}) {
    for (const DraftNode& each : draft.nodes) {
      if (each.role == role) keep_volume(draft, each);
    }
  }
  for (const Role role : {Role::kController, Role::kBroker}) {
    for (const DraftNode& each : draft.nodes) {
      if (each.role == role) keep_node(draft, each, kept);
    }
  }
  remove_rest(draft, kept);
}

}  // namespace kube
