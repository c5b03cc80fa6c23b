// A plan for a Cluster in the making: what is known, what was decided so far, and the steps that
// decide. Internal to this folder; a Draft lives for one call of plan_cluster. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "operator/plan/cluster.h"
#include "operator/plan/nodes.h"
#include "operator/plan/render.h"
#include "operator/types/cluster.h"

namespace kube {

// A reason of operator/types/conditions.h, and a sentence for people.
struct Note {
  std::string_view reason;
  std::string message;
};

// A node as it is, and as its volume is to be marked after this plan.
struct DraftNode : Node {
  VolumeMarks marks;
  // From marks: what this plan wants it to be.
  bool stays() const { return marks.state == NodeState::kMember; }
  bool lives() const { return marks.state != NodeState::kRetired; }
};

struct Draft {
  Draft(const ClusterHave& seen, const OperatorSettings& settings, ClusterSpec wanted,
        base::WallMs wall);

  const ClusterHave& have;
  const ControlSeen* control;  // null: no active controller answers
  const base::WallMs now;
  const Names names;
  const ClusterSpec spec;
  const std::string image;
  const SplitConfig config;
  std::map<std::string, NodePool> pools;  // by name; with those that only nodes are left of
  std::vector<DraftNode> nodes;           // by role and id; with those that this plan makes

  std::vector<Action> actions;
  ClusterQuestions questions;
  std::vector<Note> progress;  // what is under way
  std::vector<Note> blocked;   // why a restart that is needed does not happen
  std::vector<Note> degraded;  // what a person should look at
  int outdated = 0;            // Pods that do not run what is wanted

  const BrokerSeen* broker_seen(std::int32_t id) const;
  bool is_voter(std::int32_t id) const;
  bool finds(FindingSeen::Kind kind) const;
  // Some broker has been ready: this is not a first start.
  bool is_established() const;
  std::vector<DraftNode*> live(Role role);
  int count(Role role) const;  // that live
  // Nothing while a Service has no address yet; then says so in `progress`.
  std::optional<NodePlan> node_plan(const DraftNode& node);

  void event(EmitEvent::Type type, std::string_view reason, std::string action, std::string note,
             const Json* related = nullptr);
  void remove(const Json& object, bool exactly_as_seen);
};

// The steps, in this order. Each reads what is there and adds to the draft.
void decide_brokers(Draft& draft);      // who comes, who is to drain, who is retired
void decide_controllers(Draft& draft);  // who founds, who joins, who leaves
void keep_up(Draft& draft);             // Services, volumes, configurations, Pods that must exist
void change_online(Draft& draft);       // configs that need no restart
void even_out(Draft& draft);            // replicas onto brokers that came later
void roll(Draft& draft);                // at most one restart in a plan
// The status that follows from all that, and events about what became worse.
Json status_of(Draft& draft);
// The status of a resource whose spec is not valid.
Json status_of_invalid(const Json& resource, const std::string& problems, base::WallMs now);

}  // namespace kube
