// Replicas onto brokers that came later. That it is still to be done stands on their volumes.
#include <algorithm>

#include "operator/plan/draft.h"
#include "operator/types/conditions.h"

namespace kube {

void even_out(Draft& draft) {
  bool pending = false;
  bool all_there = draft.control != nullptr;
  for (const DraftNode* each : draft.live(Role::kBroker)) {
    const BrokerSeen* seen = draft.broker_seen(each->id);
    pending = pending || each->marks.even_out;
    all_there = all_there && each->stays() && seen != nullptr && !seen->fenced && !seen->draining;
  }
  if (!pending || !all_there) return;
  draft.progress.push_back({reason::kEveningOut, "Replicas move onto new brokers."});
  if (draft.finds(FindingSeen::Kind::kReassigning)) return;
  draft.questions.even_out = true;
  const auto moves = draft.control->even_out_moves;
  if (!moves) return;
  if (*moves > 0) {
    draft.actions.push_back(EvenOut{});
    return;
  }
  for (DraftNode* each : draft.live(Role::kBroker)) {
    if (!each->marks.even_out || each->volume == nullptr) continue;
    each->marks.even_out = false;
    draft.actions.push_back(ApplyObject{
        render_volume(draft.names, draft.spec, *each, draft.pools.at(each->pool), each->marks)});
  }
}

}  // namespace kube
