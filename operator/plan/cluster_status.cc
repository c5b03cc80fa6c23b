// The status of a Cluster.
#include <algorithm>
#include <set>

#include "operator/plan/draft.h"
#include "operator/plan/labels.h"
#include "operator/plan/status.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

struct Counts {
  int replicas = 0;
  int ready = 0;
  int updated = 0;
};

Counts counts_of(Draft& draft, Role role) {
  Counts out;
  for (const DraftNode* each : draft.live(role)) {
    ++out.replicas;
    if (phase_of(*each) == PodPhase::kReady) ++out.ready;
    const auto plan = each->pod != nullptr ? draft.node_plan(*each) : std::nullopt;
    if (plan && revision_of(*each->pod) == revision(*each, draft.spec, *plan)) ++out.updated;
  }
  return out;
}

std::string of(const Counts& counts) {
  return std::to_string(counts.ready) + "/" + std::to_string(counts.replicas);
}

Json json_of(const Counts& counts) {
  return {{"replicas", counts.replicas}, {"ready", counts.ready}, {"updated", counts.updated}};
}

std::string version_of(const Draft& draft) {
  std::set<std::string> images;
  for (const DraftNode& each : draft.nodes) {
    if (each.pod != nullptr) images.insert(image_of(*each.pod));
  }
  if (images.size() != 1) return "";
  const std::string& image = *images.begin();
  const std::size_t colon = image.rfind(':');
  return colon == std::string::npos || image.find('/', colon) != std::string::npos
             ? image
             : image.substr(colon + 1);
}

// From outside: what the Service of that listener has; on every machine with a broker when it is a
// port of machines. Empty while it has none.
std::string outside_bootstrap(const Draft& draft, const ListenerSpec& listener) {
  const auto [host, number] = bootstrap_address(draft.names, listener, draft.have.objects);
  if (host != kHostIp) return host.empty() ? "" : host + ":" + std::to_string(number);
  std::set<std::string> machines;
  for (const DraftNode& each : draft.nodes) {
    if (each.role != Role::kBroker || each.pod == nullptr) continue;
    machines.insert(text_at(*each.pod, {"status", "hostIP"}));
  }
  std::string out;
  for (const std::string& each : machines) {
    if (each.empty()) continue;
    out += (out.empty() ? "" : ",") + each + ":" + std::to_string(number);
  }
  return out;
}

Json listeners_of(const Draft& draft) {
  Json out = Json::array();
  for (const ListenerSpec& each : draft.spec.listeners) {
    const bool internal = each.type == ListenerSpec::Type::kInternal;
    out.push_back({{"name", each.name},
                   {"bootstrapServers", internal ? draft.names.address(draft.names.bootstrap()) +
                                                       ":" + std::to_string(each.port)
                                                 : outside_bootstrap(draft, each)}});
  }
  return out;
}

// Something cannot be written or read. Partitions on the move have more replicas than are in sync.
bool is_outage(const Draft& draft, const FindingSeen& finding) {
  if (finding.kind == FindingSeen::Kind::kOffline) return true;
  return finding.kind == FindingSeen::Kind::kUnderMinIsr &&
         !draft.finds(FindingSeen::Kind::kReassigning);
}

// What is wrong beyond what a restart or a change brings with it.
void examine(Draft& draft, bool busy) {
  if (draft.control == nullptr && draft.is_established()) {
    draft.degraded.push_back({reason::kControllersUnreachable,
                              "No active controller answers: " + draft.have.control_error});
  }
  if (draft.control == nullptr) return;
  for (const FindingSeen& each : draft.control->findings) {
    const bool bad = is_outage(draft, each);
    const bool passing = each.kind == FindingSeen::Kind::kUnderReplicated ||
                         each.kind == FindingSeen::Kind::kBrokerFenced;
    if (bad || (passing && !busy)) draft.degraded.push_back({reason::kUnhealthy, each.message});
  }
}

Condition ready(const Draft& draft, const Counts& brokers, const Counts& controllers) {
  Condition out{condition::kReady, false, reason::kStarting, ""};
  const bool was =
      text_at(condition_of(draft.have.resource, condition::kReady), {"status"}) == "True";
  const int missing = brokers.replicas - brokers.ready + (controllers.replicas - controllers.ready);
  const std::string counted =
      of(brokers) + " brokers and " + of(controllers) + " controllers are ready.";
  if (draft.control == nullptr) {
    if (draft.is_established()) out.reason = reason::kControllersUnreachable;
    out.message = counted + " No active controller answers.";
    return out;
  }
  const auto bad = std::ranges::find_if(
      draft.control->findings, [&](const FindingSeen& each) { return is_outage(draft, each); });
  if (bad != draft.control->findings.end()) {
    out.reason = reason::kUnhealthy;
    out.message = bad->message;
    return out;
  }
  // Some may be away for a restart; a cluster that starts is not ready before all are there.
  const int may_miss = draft.spec.max_unavailable;
  out.is_true =
      brokers.replicas > 0 && (missing == 0 || (was && brokers.ready > 0 && missing <= may_miss));
  out.reason = out.is_true ? reason::kReady : was ? reason::kPodNotReady : reason::kStarting;
  out.message = counted;
  return out;
}

Condition of_notes(std::string_view type, const std::vector<Note>& notes) {
  if (notes.empty()) return {type, false, reason::kAsWanted, ""};
  return {type, true, notes.front().reason, notes.front().message};
}

void tell(Draft& draft, const Condition& condition) {
  const Json& before = condition_of(draft.have.resource, condition.type);
  const bool news =
      text_at(before, {"status"}) != "True" || text_at(before, {"reason"}) != condition.reason;
  if (!condition.is_true || !news) return;
  draft.event(EmitEvent::Type::kWarning, condition.reason, std::string(condition.type),
              condition.message);
}

// Before all that is on its way: it explains why the rest does not come.
void note_refusals(Draft& draft) {
  for (const Failure& each : draft.have.failures) {
    draft.progress.insert(draft.progress.begin(),
                          {reason::kActionFailed, each.action + ": " + each.message});
  }
}

// What matters most, for `kubectl get`.
std::string headline(const std::vector<Condition>& all) {
  const auto& [ready, progressing, degraded, blocked, stable] =
      std::tie(all[0], all[1], all[2], all[3], all[4]);
  for (const Condition* each : {&degraded, &blocked, &progressing}) {
    if (each->is_true) return each->message;
  }
  return ready.message;
}

}  // namespace

Json status_of(Draft& draft) {
  const std::size_t told = draft.progress.size();
  const Counts brokers = counts_of(draft, Role::kBroker);
  const Counts controllers = counts_of(draft, Role::kController);
  draft.progress.resize(told);  // of addresses that are awaited was spoken already
  const bool all_ready =
      brokers.ready == brokers.replicas && controllers.ready == controllers.replicas;
  if (!all_ready && draft.progress.empty()) {
    draft.progress.push_back(
        {draft.is_established() ? reason::kPodNotReady : reason::kStarting,
         of(brokers) + " brokers and " + of(controllers) + " controllers are ready."});
  }
  note_refusals(draft);
  examine(draft, !draft.progress.empty());
  std::vector<Condition> all = {ready(draft, brokers, controllers),
                                of_notes(condition::kProgressing, draft.progress),
                                of_notes(condition::kDegraded, draft.degraded),
                                of_notes(condition::kUpgradeBlocked, draft.blocked)};
  const bool stable = all[0].is_true && !all[1].is_true && !all[2].is_true && !all[3].is_true;
  all.push_back({condition::kStable, stable, stable ? reason::kAsWanted : reason::kChanging, ""});
  tell(draft, all[2]);
  tell(draft, all[3]);
  const Json& was = condition_of(draft.have.resource, condition::kStable);
  if (stable && text_at(was, {"status"}) == "False") {
    draft.event(EmitEvent::Type::kNormal, reason::kAsWanted, std::string(condition::kStable),
                "All is as wanted.");
  }
  const Json& resource = draft.have.resource;
  Json out = {{"observedGeneration", number_at(resource, {"metadata", "generation"})},
              {"conditions", conditions_of(resource, all, draft.now)},
              {"message", headline(all)},
              {"version", version_of(draft)},
              {"image", draft.image},
              {"bootstrapServers", draft.names.address(draft.names.bootstrap()) + ":" +
                                       std::to_string(draft.spec.listeners.front().port)},
              {"listeners", listeners_of(draft)},
              {"brokers", json_of(brokers)},
              {"controllers", json_of(controllers)},
              {"brokersReady", of(brokers)},
              {"controllersReady", of(controllers)},
              {"labelSelector", std::string(label::kCluster) + "=" + draft.names.cluster() + "," +
                                    label::kPool + "=broker"},
              {"replicas", std::ranges::count_if(draft.nodes, [](const DraftNode& each) {
                 return each.role == Role::kBroker && each.pool == "broker" && each.lives();
               })}};
  // What only the controllers know is kept while they do not answer.
  const Json& before = object_at(resource, {"status"});
  if (draft.control != nullptr) {
    out["clusterId"] = draft.control->cluster_id;
    out["activeController"] = draft.control->leader_id;
  } else {
    for (const char* each : {"clusterId", "activeController"}) {
      if (before.contains(each)) out[each] = before[each];
    }
  }
  return out;
}

Json status_of_invalid(const Json& resource, const std::string& problems, base::WallMs now) {
  Json out = object_at(resource, {"status"});
  const bool serves = text_at(condition_of(resource, condition::kReady), {"status"}) == "True";
  out["observedGeneration"] = number_at(resource, {"metadata", "generation"});
  out["message"] = problems;
  out["conditions"] =
      conditions_of(resource,
                    {{condition::kReady, serves, reason::kInvalidSpec, problems},
                     {condition::kProgressing, false, reason::kInvalidSpec, ""},
                     {condition::kDegraded, true, reason::kInvalidSpec, problems},
                     {condition::kUpgradeBlocked, true, reason::kInvalidSpec, problems},
                     {condition::kStable, false, reason::kInvalidSpec, ""}},
                    now);
  return out;
}

}  // namespace kube
