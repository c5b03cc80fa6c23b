// Which brokers there are to be. More: the lowest id that is free, first one whose volume was kept.
// Fewer: the highest ids drain first, and only then go.
#include <algorithm>

#include "operator/plan/draft.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

std::string called(const DraftNode& node) { return "Broker " + std::to_string(node.id); }

void add_broker(Draft& draft, const std::string& pool) {
  const auto kept = std::ranges::find_if(draft.nodes, [&](const DraftNode& each) {
    return each.role == Role::kBroker && each.pool == pool && !each.lives() &&
           !is_ending(each.volume);
  });
  if (kept != draft.nodes.end()) {
    // By way of draining: it is taken back there, should the controller still drain it.
    kept->marks.state = NodeState::kDraining;
    return;
  }
  std::set<std::int32_t> taken;
  for (const DraftNode& each : draft.nodes) {
    if (each.role == Role::kBroker) taken.insert(each.id);
  }
  DraftNode node;
  node.role = Role::kBroker;
  node.pool = pool;
  node.id = 1;
  while (taken.contains(node.id)) ++node.id;
  node.pod_name = draft.names.pod(pool, node.id);
  node.marks.even_out = draft.is_established();
  const auto at = std::ranges::find_if(draft.nodes, [&](const DraftNode& each) {
    return each.role == Role::kController || each.id > node.id;
  });
  draft.nodes.insert(at, std::move(node));
}

// Raised again before it was gone.
void take_back(Draft& draft, DraftNode& node) {
  if (draft.control == nullptr) return;
  const BrokerSeen* seen = draft.broker_seen(node.id);
  if (seen != nullptr && seen->draining) {
    draft.actions.push_back(ResumeBroker{node.id});
    draft.progress.push_back({reason::kScalingUp, called(node) + " is taken back."});
    return;
  }
  node.marks.state = NodeState::kMember;
  node.marks.even_out = true;
}

void let_drain(Draft& draft, DraftNode& node) {
  const bool begins = node.marks.state == NodeState::kMember;
  node.marks.state = NodeState::kDraining;
  std::string message = called(node) + " drains";
  if (draft.control == nullptr) {
    draft.progress.push_back({reason::kDraining, message + ": no active controller answers."});
    return;
  }
  if (begins) {
    draft.event(EmitEvent::Type::kNormal, reason::kDraining, "Drain",
                message + " before it is removed.", node.pod);
  }
  const BrokerSeen* seen = draft.broker_seen(node.id);
  if (seen == nullptr || (seen->draining && seen->replicas == 0)) {
    node.marks.state = NodeState::kRetired;
    draft.progress.push_back({reason::kDraining, called(node) + " is drained and goes."});
    return;
  }
  if (!seen->draining) {
    draft.actions.push_back(DrainBroker{node.id});
  } else {
    draft.questions.drains.insert(node.id);
    message += ": " + std::to_string(seen->replicas) + " replicas left";
    const auto answer = draft.control->drains.find(node.id);
    if (answer != draft.control->drains.end() && !answer->second.obstacles.empty()) {
      message += "; " + answer->second.obstacles.front();
    }
  }
  draft.progress.push_back({reason::kDraining, message + "."});
}

// Its volume says that it is drained: the Pod, then the registration, then what else is left.
void let_go(Draft& draft, DraftNode& node) {
  if (draft.control == nullptr) {
    if (node.pod != nullptr) {
      draft.progress.push_back({reason::kDraining, called(node) + " is to go."});
    }
    return;
  }
  const BrokerSeen* seen = draft.broker_seen(node.id);
  if (seen != nullptr && seen->replicas > 0 && node.pod != nullptr) {
    node.marks.state = NodeState::kDraining;  // not so: look again
    return;
  }
  if (node.pod != nullptr) {
    if (!is_ending(node.pod)) draft.remove(*node.pod, false);
  } else if (seen != nullptr && seen->fenced) {
    draft.actions.push_back(UnregisterBroker{node.id});
  } else if (seen == nullptr) {
    if (draft.spec.deletion_policy != DeletionPolicy::kDelete || node.volume == nullptr) return;
    if (!is_ending(node.volume)) draft.remove(*node.volume, false);
  }
  draft.progress.push_back({reason::kDraining, called(node) + " is removed."});
}

void decide_pool(Draft& draft, const NodePool& pool) {
  std::vector<DraftNode*> members;
  for (DraftNode& each : draft.nodes) {
    if (each.role != Role::kBroker || each.pool != pool.name) continue;
    if (each.lives()) members.push_back(&each);
  }
  const auto wanted = static_cast<std::size_t>(pool.replicas);
  for (std::size_t i = 0; i < members.size(); ++i) {
    DraftNode& node = *members[i];
    if (i >= wanted) {
      let_drain(draft, node);
    } else if (node.marks.state == NodeState::kDraining) {
      take_back(draft, node);
    }
  }
  if (members.size() >= wanted) return;
  if (draft.is_established() && draft.control == nullptr) {
    draft.progress.push_back(
        {reason::kControllersUnreachable, "More brokers wait for an active controller to answer."});
    return;
  }
  for (std::size_t i = members.size(); i < wanted; ++i) add_broker(draft, pool.name);
  draft.progress.push_back({draft.is_established() ? reason::kScalingUp : reason::kStarting,
                            "Brokers are added to pool " + pool.name + "."});
}

}  // namespace

void decide_brokers(Draft& draft) {
  for (const NodePool& each : draft.spec.pools) decide_pool(draft, each);
  for (const auto& [name, pool] : draft.pools) {
    const bool wanted = name == draft.spec.controllers.name ||
                        std::ranges::count(draft.spec.pools, name, &NodePool::name) > 0;
    if (!wanted) decide_pool(draft, pool);
  }
  for (DraftNode& each : draft.nodes) {
    const bool gone = each.state == NodeState::kRetired && !each.lives();
    if (each.role == Role::kBroker && gone) let_go(draft, each);
  }
}

}  // namespace kube
