// Restarts: Pods that do not run what is wanted are deleted one after the other, and made anew. At
// most one in a plan, and only while all else is well: brokers by id, then controllers, the active
// one last. A Pod of an old revision that cannot start is replaced at once, for that makes nothing
// worse; one of the wanted revision that cannot start ends the roll, for so would the next.
#include <algorithm>
#include <chrono>

#include "operator/plan/draft.h"
#include "operator/plan/status.h"
#include "operator/types/conditions.h"

namespace kube {
namespace {

constexpr std::int64_t kCaughtUpMs = 5'000;
// A Pod that waits for its volume or its image for so long is no news yet.
constexpr base::WallMs kPatienceMs = 20'000;

// One that is not ready for so long is: it recovers a large log, or its machine is gone.
constexpr base::WallMs kSilenceMs = 120'000;

bool is_young(const Json& pod, base::WallMs now) {
  const auto made = parse_timestamp(text_at(pod, {"metadata", "creationTimestamp"}));
  return made && now >= *made && now < *made + kPatienceMs;
}

// When the Pod was ready last, was made, or should have ended; nothing when it does not say.
std::optional<base::WallMs> away_since(const Json& pod) {
  if (is_ending(&pod)) {
    return parse_timestamp(text_at(pod, {"metadata", "deletionTimestamp"}));
  }
  for (const Json& each : list_at(pod, {"status", "conditions"})) {
    if (text_at(each, {"type"}) != "Ready") continue;
    return parse_timestamp(text_at(each, {"lastTransitionTime"}));
  }
  return parse_timestamp(text_at(pod, {"metadata", "creationTimestamp"}));
}

void tell_of_absence(Draft& draft, const Node& node) {
  const auto since = away_since(*node.pod);
  if (!since || draft.now < *since + kSilenceMs) return;
  std::string message = node.pod_name + " is not ready since " + timestamp(*since);
  const std::string machine = text_at(*node.pod, {"spec", "nodeName"});
  if (is_ending(node.pod)) message += ": it should have ended. Is " + machine + " still there?";
  const std::string why = complaint_of(node);
  if (!why.empty()) message += ": " + why;
  draft.degraded.push_back({reason::kPodNotReady, message});
}

bool is_outdated(Draft& draft, const DraftNode& node) {
  if (!node.stays() || node.pod == nullptr || is_ending(node.pod)) return false;
  if (!draft.names.owns(*node.pod)) return true;
  const auto plan = draft.node_plan(node);
  if (!plan) return false;  // its address is not known yet
  if (revision_of(*node.pod) != revision(node, draft.spec, *plan)) return true;
  if (draft.spec.rack_topology_key.empty() || node.role == Role::kController) return false;
  // It was moved to another rack: it says so when it registers anew.
  const BrokerSeen* seen = draft.broker_seen(node.id);
  const auto rack = draft.have.node_racks.find(text_at(*node.pod, {"spec", "nodeName"}));
  return seen != nullptr && !seen->fenced && rack != draft.have.node_racks.end() &&
         seen->rack != rack->second;
}

bool is_open(const std::optional<MaintenanceWindow>& window, base::WallMs now) {
  if (!window) return true;
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(now)};
  // It may have begun yesterday.
  for (const days back : {days(0), days(1)}) {
    const sys_days day = floor<days>(at) - back;
    const int week_day = static_cast<int>(weekday(day).c_encoding());
    if (!window->days.empty() && std::ranges::count(window->days, week_day) == 0) continue;
    const auto start = day + minutes(window->start_minute);
    if (at >= start && at < start + minutes(window->minutes)) return true;
  }
  return false;
}

void restart(Draft& draft, const DraftNode& node, const std::string& why) {
  draft.event(EmitEvent::Type::kNormal, reason::kRolling, "Restart", node.pod_name + ": " + why,
              node.pod);
  draft.remove(*node.pod, true);
}

// A Pod that is not ready: the reason not to restart another one.
bool is_disturbed(Draft& draft) {
  bool disturbed = false;
  for (const DraftNode& each : draft.nodes) {
    if (!each.lives()) continue;
    const PodPhase phase = phase_of(each);
    if (phase == PodPhase::kReady) continue;
    disturbed = true;
    if (phase == PodPhase::kStarting || phase == PodPhase::kEnding) tell_of_absence(draft, each);
    if (phase != PodPhase::kStuck || is_young(*each.pod, draft.now)) continue;
    Note note{reason::kPodStuck, each.pod_name + ": " + complaint_of(each)};
    draft.degraded.push_back(note);
    if (draft.outdated > 0) draft.blocked.push_back(std::move(note));
  }
  return disturbed;
}

bool is_allowed(Draft& draft) {
  if (draft.control == nullptr) {
    draft.blocked.push_back({reason::kControllersUnreachable, draft.have.control_error});
    return false;
  }
  const auto controllers = draft.live(Role::kController);
  const bool whole = controllers.size() == draft.control->voters.size() &&
                     std::ranges::all_of(controllers, [&](const DraftNode* each) {
                       return each->stays() && draft.is_voter(each->id);
                     });
  if (!whole) {
    draft.blocked.push_back({reason::kQuorumChanging, "The quorum is being changed."});
    return false;
  }
  const auto fenced = std::ranges::find_if(draft.nodes, [&](const DraftNode& each) {
    if (each.role != Role::kBroker || !each.lives()) return false;
    const BrokerSeen* seen = draft.broker_seen(each.id);
    return seen == nullptr || seen->fenced;
  });
  if (fenced != draft.nodes.end()) {
    draft.progress.push_back(
        {reason::kRolling, "Broker " + std::to_string(fenced->id) + " is not back yet."});
    return false;
  }
  for (const FindingSeen& each : draft.control->findings) {
    if (each.kind != FindingSeen::Kind::kUnderReplicated) continue;
    draft.progress.push_back({reason::kWaitingForInSync, each.message});
    return false;
  }
  return true;
}

void roll_broker(Draft& draft, const DraftNode& node) {
  draft.questions.may_restart.insert(node.id);
  const auto answer = draft.control->may_restart.find(node.id);
  if (answer == draft.control->may_restart.end()) return;
  if (answer->second.yes) return restart(draft, node, "restarts for what has changed.");
  std::string why = "Broker " + std::to_string(node.id) + " may not restart now";
  if (!answer->second.reasons.empty()) why += ": " + answer->second.reasons.front();
  draft.blocked.push_back({reason::kMayNotRestart, why});
}

void roll_controller(Draft& draft, const DraftNode& node) {
  for (const VoterSeen& each : draft.control->voters) {
    const bool behind = each.last_caught_up_ms < 0 || each.last_caught_up_ms > kCaughtUpMs;
    if (each.id == node.id || each.id == draft.control->leader_id || !behind) continue;
    draft.blocked.push_back({reason::kQuorumNotCaughtUp,
                             "Controller " + std::to_string(each.id) + " has not caught up."});
    return;
  }
  restart(draft, node, "restarts for what has changed.");
}

}  // namespace

void roll(Draft& draft) {
  std::vector<const DraftNode*> outdated;
  for (const DraftNode& each : draft.nodes) {
    if (is_outdated(draft, each)) outdated.push_back(&each);
  }
  draft.outdated = static_cast<int>(outdated.size());
  if (draft.outdated > 0) {
    draft.progress.push_back({reason::kRolling, std::to_string(draft.outdated) +
                                                    " Pods do not run yet what is wanted."});
  }
  if (draft.outdated > 0 && draft.spec.paused) {
    is_disturbed(draft);
    draft.blocked.push_back({reason::kPaused, "spec.updatePolicy.paused is true."});
    return;
  }
  for (const DraftNode* each : outdated) {
    if (phase_of(*each) != PodPhase::kStuck) continue;
    return restart(draft, *each, "is stuck and replaced. " + complaint_of(*each));
  }
  if (is_disturbed(draft) || outdated.empty()) return;
  if (!is_open(draft.spec.window, draft.now)) {
    draft.blocked.push_back({reason::kOutsideWindow, "The maintenance window is closed."});
    return;
  }
  if (!is_allowed(draft)) return;
  // Brokers stand before controllers; of these the active one goes last.
  const auto next = std::ranges::find_if(outdated, [&](const DraftNode* each) {
    return each->role == Role::kBroker || each->id != draft.control->leader_id;
  });
  const DraftNode& node = next == outdated.end() ? *outdated.front() : **next;
  if (node.role == Role::kBroker) return roll_broker(draft, node);
  roll_controller(draft, node);
}

}  // namespace kube
