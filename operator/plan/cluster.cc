#include "operator/plan/cluster.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "operator/plan/draft.h"
#include "operator/plan/labels.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

constexpr std::chrono::milliseconds kSoon{1'000};
constexpr std::chrono::milliseconds kAtRest{30'000};  // health is not watched

void decide(Draft& draft) {
  decide_controllers(draft);
  decide_brokers(draft);
  keep_up(draft);
  change_online(draft);
  even_out(draft);
  roll(draft);
}

bool is_at_rest(const Draft& draft) {
  return draft.progress.empty() && draft.blocked.empty() && draft.degraded.empty();
}

}  // namespace

ClusterQuestions cluster_questions(const ClusterHave& have, const OperatorSettings& settings) {
  auto spec = cluster_spec(have.resource);
  if (!spec || is_ending(&have.resource)) return {};
  spec->window.reset();  // it is no question whether it is open
  Draft draft(have, settings, std::move(*spec), 0);
  decide(draft);
  return draft.questions;
}

Plan plan_cluster(const ClusterHave& have, const OperatorSettings& settings, base::WallMs now) {
  Plan plan;
  // All that is owned goes with it; volumes stay unless deletionPolicy says otherwise.
  if (is_ending(&have.resource)) return plan;
  auto spec = cluster_spec(have.resource);
  if (!spec) {
    Json status = status_of_invalid(have.resource, describe(spec.error()), now);
    if (status != object_at(have.resource, {"status"})) {
      plan.actions.push_back(PatchStatus{std::move(status)});
    }
    return plan;
  }
  Draft draft(have, settings, std::move(*spec), now);
  decide(draft);
  Json status = status_of(draft);
  // First what is known: a step that fails for ever must not keep anybody from reading why.
  if (status != object_at(have.resource, {"status"})) {
    plan.actions.push_back(PatchStatus{std::move(status)});
  }
  std::ranges::move(draft.actions, std::back_inserter(plan.actions));
  plan.look_again = is_at_rest(draft) ? kAtRest : kSoon;
  return plan;
}

std::vector<ControllerAddress> controller_addresses(const std::vector<Json>& objects) {
  std::vector<ControllerAddress> out;
  for (const Json& each : objects) {
    if (text_at(each, {"kind"}) != "Pod" ||
        text_at(each, {"metadata", "labels", label::kComponent}) != "controller") {
      continue;
    }
    const std::string id = text_at(each, {"metadata", "labels", label::kNodeId});
    if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
      continue;
    }
    out.push_back({std::stoi(id),
                   text_at(each, {"spec", "hostname"}) + "." +
                       text_at(each, {"spec", "subdomain"}) + "." +
                       text_at(each, {"metadata", "namespace"}) + ".svc",
                   text_at(each, {"status", "podIP"}), port::kController});
  }
  return out;
}

std::string rack_topology_key(const Json& cluster) {
  return text_at(cluster, {"spec", "rack", "topologyKey"});
}

}  // namespace kube
