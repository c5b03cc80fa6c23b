// Restarts: Pods that do not run what is wanted are deleted one after the other, and made anew. At
// most one in a plan, and only while all else is well: brokers by id, then controllers, the active
// one last. With updatePolicy.maxUnavailable another broker may follow while some are away for
// their restart: of another rack, and once the controllers know of those, for their answer counts
// on who is in sync. A Pod of an old revision that cannot start is replaced at once, for that makes
// nothing worse; one of the wanted revision that cannot start ends the roll, for so would the next.
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

bool is_silent(const Draft& draft, const Node& node) {
  const auto since = node.pod == nullptr ? std::nullopt : away_since(*node.pod);
  return since && draft.now >= *since + kSilenceMs;
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

// Brokers that are on their way back from a restart, or on their way there.
using Away = std::vector<const DraftNode*>;

// Nothing when no other Pod may go: as many brokers are away as may be, or one for another reason.
std::optional<Away> look_around(Draft& draft) {
  Away away;
  bool disturbed = false;
  for (const DraftNode& each : draft.nodes) {
    if (!each.lives()) continue;
    const PodPhase phase = phase_of(each);
    if (phase == PodPhase::kReady) continue;
    if (phase == PodPhase::kStarting || phase == PodPhase::kEnding) tell_of_absence(draft, each);
    const bool passes =
        phase == PodPhase::kStarting || phase == PodPhase::kEnding || phase == PodPhase::kAbsent;
    if (passes && each.role == Role::kBroker && !is_silent(draft, each)) {
      away.push_back(&each);
    } else {
      disturbed = true;
    }
    if (phase != PodPhase::kStuck || is_young(*each.pod, draft.now)) continue;
    Note note{reason::kPodStuck, each.pod_name + ": " + complaint_of(each)};
    draft.degraded.push_back(note);
    if (draft.outdated > 0) draft.blocked.push_back(std::move(note));
  }
  if (disturbed || std::ssize(away) >= draft.spec.max_unavailable) return std::nullopt;
  return away;
}

bool is_quorum_whole(Draft& draft) {
  const auto controllers = draft.live(Role::kController);
  return controllers.size() == draft.control->voters.size() &&
         std::ranges::all_of(controllers, [&](const DraftNode* each) {
           return each->stays() && draft.is_voter(each->id);
         });
}

// What the controllers know of who is away. Who runs but is not registered counts as away.
bool is_known(Draft& draft, Away& away) {
  for (const DraftNode& each : draft.nodes) {
    if (each.role != Role::kBroker || !each.lives()) continue;
    const BrokerSeen* seen = draft.broker_seen(each.id);
    const bool fenced = seen == nullptr || seen->fenced;
    const std::string called = "Broker " + std::to_string(each.id);
    if (std::ranges::count(away, &each) > 0) {
      if (fenced) continue;
      draft.progress.push_back({reason::kRolling, called + " is about to restart."});
      return false;
    }
    if (!fenced) continue;
    away.push_back(&each);
    if (std::ssize(away) < draft.spec.max_unavailable) continue;
    draft.progress.push_back({reason::kRolling, called + " is not back yet."});
    return false;
  }
  return true;
}

bool is_allowed(Draft& draft, Away& away) {
  if (draft.control == nullptr) {
    draft.blocked.push_back({reason::kControllersUnreachable, draft.have.control_error});
    return false;
  }
  if (!is_quorum_whole(draft)) {
    draft.blocked.push_back({reason::kQuorumChanging, "The quorum is being changed."});
    return false;
  }
  if (!is_known(draft, away)) return false;
  // Of those that are away replicas lag, of course; who lags besides is in the controllers' answer.
  for (const FindingSeen& each : draft.control->findings) {
    if (each.kind != FindingSeen::Kind::kUnderReplicated || !away.empty()) continue;
    draft.progress.push_back({reason::kWaitingForInSync, each.message});
    return false;
  }
  return true;
}

// The first of them that may go. While others are away it is no news that one may not.
void roll_brokers(Draft& draft, const Away& candidates, bool alone) {
  for (const DraftNode* each : candidates) {
    draft.questions.may_restart.insert(each->id);
    const auto answer = draft.control->may_restart.find(each->id);
    if (answer == draft.control->may_restart.end()) continue;
    if (answer->second.yes) return restart(draft, *each, "restarts for what has changed.");
    if (!alone) continue;
    std::string why = "Broker " + std::to_string(each->id) + " may not restart now";
    if (!answer->second.reasons.empty()) why += ": " + answer->second.reasons.front();
    draft.blocked.push_back({reason::kMayNotRestart, why});
  }
}

std::string rack_of(const Draft& draft, const DraftNode& broker) {
  const BrokerSeen* seen = draft.broker_seen(broker.id);
  return seen == nullptr ? "" : seen->rack;
}

// Somebody runs what is wanted already: it can be run.
bool is_proven(const Draft& draft, const Away& outdated) {
  return std::ranges::any_of(draft.nodes, [&](const DraftNode& each) {
    return each.role == Role::kBroker && each.stays() && phase_of(each) == PodPhase::kReady &&
           std::ranges::count(outdated, &each) == 0;
  });
}

// Who may be asked for next: the first, or when some are away all that are of no rack of theirs.
Away candidates_of(const Draft& draft, const Away& outdated, const Away& away) {
  Away out;
  for (const DraftNode* each : outdated) {
    if (each->role != Role::kBroker || std::ranges::count(away, each) > 0) continue;
    const std::string rack = rack_of(draft, *each);
    const bool taken = !rack.empty() && std::ranges::any_of(away, [&](const DraftNode* other) {
      return rack_of(draft, *other) == rack;
    });
    if (!taken) out.push_back(each);
    if (away.empty()) break;
  }
  return out;
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
  Away outdated;
  for (const DraftNode& each : draft.nodes) {
    if (is_outdated(draft, each)) outdated.push_back(&each);
  }
  draft.outdated = static_cast<int>(outdated.size());
  if (draft.outdated > 0) {
    draft.progress.push_back({reason::kRolling, std::to_string(draft.outdated) +
                                                    " Pods do not run yet what is wanted."});
  }
  if (draft.outdated > 0 && draft.spec.paused) {
    look_around(draft);
    draft.blocked.push_back({reason::kPaused, "spec.updatePolicy.paused is true."});
    return;
  }
  for (const DraftNode* each : outdated) {
    if (phase_of(*each) != PodPhase::kStuck) continue;
    return restart(draft, *each, "is stuck and replaced. " + complaint_of(*each));
  }
  auto away = look_around(draft);
  if (!away || outdated.empty()) return;
  if (!is_open(draft.spec.window, draft.now)) {
    draft.blocked.push_back({reason::kOutsideWindow, "The maintenance window is closed."});
    return;
  }
  if (!is_allowed(draft, *away)) return;
  if (!away->empty() && !is_proven(draft, outdated)) return;  // the first one goes alone
  if (outdated.front()->role == Role::kBroker) {              // they stand before controllers
    return roll_brokers(draft, candidates_of(draft, outdated, *away), away->empty());
  }
  if (!away->empty()) return;
  const auto next = std::ranges::find_if(
      outdated, [&](const DraftNode* each) { return each->id != draft.control->leader_id; });
  roll_controller(draft, next == outdated.end() ? *outdated.front() : **next);
}

}  // namespace kube
