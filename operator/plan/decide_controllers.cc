// Who is in the quorum. The first ones found it together: which they are stands on their volumes
// until it is founded. From then on controllers join and leave one at a time, by AddVoter and
// RemoveVoter, and nobody can found a second quorum.
#include <algorithm>

#include "operator/plan/draft.h"
#include "operator/plan/labels.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

std::string called(std::int32_t id) { return "Controller " + std::to_string(id); }

void add_controller(Draft& draft, std::int32_t id, const std::set<std::int32_t>& founders) {
  DraftNode node;
  node.role = Role::kController;
  node.pool = draft.spec.controllers.name;
  node.id = id;
  node.pod_name = draft.names.pod(node.pool, id);
  node.marks.founders = founders;
  const auto at = std::ranges::find_if(draft.nodes, [&](const DraftNode& each) {
    return each.role == Role::kController && each.id > id;
  });
  draft.nodes.insert(at, std::move(node));
}

DraftNode* controller_called(Draft& draft, std::int32_t id) {
  const auto at = std::ranges::find_if(draft.nodes, [&](const DraftNode& each) {
    return each.role == Role::kController && each.id == id;
  });
  return at == draft.nodes.end() ? nullptr : &*at;
}

void found(Draft& draft, const std::set<std::int32_t>& founders) {
  for (const std::int32_t id : founders) {
    if (controller_called(draft, id) == nullptr) add_controller(draft, id, founders);
  }
  draft.progress.push_back({reason::kStarting, "The controllers found their quorum."});
}

// Of controllers whose volumes are gone while brokers' are there: a new quorum would know nothing
// of what those hold.
bool lost_all(Draft& draft) {
  const bool brokers = std::ranges::any_of(draft.nodes, [](const DraftNode& each) {
    return each.role == Role::kBroker && each.volume != nullptr;
  });
  if (!brokers) return false;
  draft.degraded.push_back(
      {reason::kControllersLost,
       "There are volumes of brokers but none of controllers. Restore these, or delete those of "
       "the brokers to begin with an empty cluster."});
  return true;
}

// All who are to stay are ready and vote.
bool is_settled(Draft& draft) {
  return std::ranges::all_of(draft.live(Role::kController), [&](const DraftNode* each) {
    return phase_of(*each) == PodPhase::kReady && draft.is_voter(each->id);
  });
}

// The lowest id that votes and is lost, or that is free; one whose volume was kept comes back.
void grow(Draft& draft) {
  std::int32_t id = 0;
  for (const VoterSeen& each : draft.control->voters) {
    const DraftNode* node = controller_called(draft, each.id);
    if (node == nullptr && (id == 0 || each.id < id)) id = each.id;
  }
  for (const DraftNode& each : draft.nodes) {
    if (each.role != Role::kController || each.lives() || is_ending(each.volume)) continue;
    if (id == 0) id = each.id;
  }
  if (id == 0) {
    id = 1;
    while (controller_called(draft, id) != nullptr) ++id;
  }
  if (DraftNode* kept = controller_called(draft, id)) {
    kept->marks.state = NodeState::kMember;
  } else {
    add_controller(draft, id, {});
  }
  draft.event(EmitEvent::Type::kNormal, reason::kQuorumChanging, "AddController",
              called(id) + " is added to the quorum.");
}

void shrink(Draft& draft) {
  const auto members = draft.live(Role::kController);
  const bool leaving = std::ranges::any_of(
      members, [](const DraftNode* each) { return each->marks.state == NodeState::kDraining; });
  if (leaving || !is_settled(draft)) return;
  members.back()->marks.state = NodeState::kDraining;
  draft.event(EmitEvent::Type::kNormal, reason::kQuorumChanging, "RemoveController",
              called(members.back()->id) + " is to leave the quorum.", members.back()->pod);
}

void change_votes(Draft& draft, std::size_t wanted) {
  const auto members = draft.live(Role::kController);
  for (DraftNode* each : members) {
    const bool votes = draft.is_voter(each->id);
    if (each->stays() && !votes && is_running(*each)) {
      draft.actions.push_back(AddVoter{
          each->id, draft.names.address(Role::kController, each->pod_name), port::kController});
      return;
    }
    if (each->marks.state != NodeState::kDraining) continue;
    if (members.size() <= wanted) {
      each->marks.state = NodeState::kMember;  // raised again
    } else if (votes) {
      draft.actions.push_back(RemoveVoter{each->id});
      return;
    } else {
      each->marks.state = NodeState::kRetired;
    }
  }
  // Somebody votes whose volume and Pod are gone, and is not needed.
  for (const VoterSeen& each : draft.control->voters) {
    const DraftNode* node = controller_called(draft, each.id);
    const bool gone = node == nullptr || (!node->lives() && node->pod == nullptr);
    if (!gone || members.size() < wanted) continue;
    draft.actions.push_back(RemoveVoter{each.id});
    return;
  }
}

void let_go(Draft& draft, const DraftNode& node) {
  if (node.pod != nullptr) {
    if (!is_ending(node.pod)) draft.remove(*node.pod, false);
    draft.progress.push_back({reason::kQuorumChanging, called(node.id) + " is removed."});
  } else if (draft.spec.deletion_policy == DeletionPolicy::kDelete && node.volume != nullptr &&
             !is_ending(node.volume)) {
    draft.remove(*node.volume, false);
  }
}

// The quorum is there, and says who is in it.
void keep_quorum(Draft& draft) {
  const auto wanted = static_cast<std::size_t>(draft.spec.controllers.replicas);
  for (DraftNode* each : draft.live(Role::kController)) each->marks.founders.clear();
  const std::size_t before = draft.live(Role::kController).size();
  if (before < wanted && is_settled(draft)) grow(draft);
  if (before > wanted) shrink(draft);
  change_votes(draft, wanted);
  for (const DraftNode& each : draft.nodes) {
    const bool gone = each.state == NodeState::kRetired && !each.lives();
    if (each.role == Role::kController && gone && !draft.is_voter(each.id)) let_go(draft, each);
  }
  const auto members = draft.live(Role::kController);
  if (members.size() == wanted && draft.control->voters.size() == wanted &&
      std::ranges::all_of(members,
                          [&](const DraftNode* each) { return draft.is_voter(each->id); })) {
    return;
  }
  draft.progress.push_back({reason::kQuorumChanging,
                            "The quorum goes from " + std::to_string(draft.control->voters.size()) +
                                " to " + std::to_string(wanted) + " controllers."});
}

}  // namespace

void decide_controllers(Draft& draft) {
  const bool none = std::ranges::none_of(
      draft.nodes, [](const DraftNode& each) { return each.role == Role::kController; });
  if (draft.control != nullptr && !draft.control->voters.empty()) return keep_quorum(draft);
  if (none) {
    if (lost_all(draft)) return;
    std::set<std::int32_t> founders;
    for (std::int32_t id = 1; id <= draft.spec.controllers.replicas; ++id) founders.insert(id);
    return found(draft, founders);
  }
  const std::vector<Node> nodes(draft.nodes.begin(), draft.nodes.end());
  if (const auto founders = founders_of(nodes); !founders.empty()) return found(draft, founders);
}

}  // namespace kube
