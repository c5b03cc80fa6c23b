#include "operator/plan/nodes.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "operator/plan/labels.h"

namespace kube {
namespace {

std::optional<std::int32_t> number_of(std::string_view text) {
  std::int32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 0) return std::nullopt;
  return out;
}

std::string label_of(const Json& object, const char* which) {
  return text_at(object, {"metadata", "labels", which});
}

NodeState state_of(const Json& volume) {
  const std::string text = text_at(volume, {"metadata", "annotations", annotation::kState});
  if (text == name(NodeState::kDraining)) return NodeState::kDraining;
  if (text == name(NodeState::kRetired)) return NodeState::kRetired;
  return NodeState::kMember;
}

constexpr std::string_view kStuckReasons[] = {
    "CrashLoopBackOff",  "ImagePullBackOff",           "ErrImagePull",      "InvalidImageName",
    "RunContainerError", "CreateContainerConfigError", "ErrImageNeverPull", "CreateContainerError"};

struct Complaint {
  bool stuck = false;
  std::string text;
};

std::string joined(const std::string& reason, const std::string& message) {
  if (reason.empty() || message.empty()) return reason + message;
  return reason + ": " + message;
}

Complaint complaint(const Json& pod) {
  for (const Json& each : list_at(pod, {"status", "containerStatuses"})) {
    const std::string waiting = text_at(each, {"state", "waiting", "reason"});
    if (waiting.empty() || waiting == "ContainerCreating" || waiting == "PodInitializing") continue;
    Complaint out;
    out.stuck = std::ranges::find(kStuckReasons, waiting) != std::end(kStuckReasons);
    out.text = joined(waiting, text_at(each, {"state", "waiting", "message"}));
    const std::int64_t code = number_at(each, {"lastState", "terminated", "exitCode"}, -1);
    if (code >= 0) out.text += ", last exit code " + std::to_string(code);
    return out;
  }
  for (const Json& each : list_at(pod, {"status", "conditions"})) {
    const bool scheduling = text_at(each, {"type"}) == "PodScheduled";
    if (!scheduling || text_at(each, {"status"}) != "False") continue;
    const std::string reason = text_at(each, {"reason"});
    return {reason == "Unschedulable", joined(reason, text_at(each, {"message"}))};
  }
  return {};
}

bool is_ready(const Json& pod) {
  return std::ranges::any_of(list_at(pod, {"status", "conditions"}), [](const Json& each) {
    return text_at(each, {"type"}) == "Ready" && text_at(each, {"status"}) == "True";
  });
}

}  // namespace

std::string_view name(NodeState state) {
  switch (state) {
    case NodeState::kMember:
      return "member";
    case NodeState::kDraining:
      return "draining";
    case NodeState::kRetired:
      return "retired";
  }
  return "";
}

std::vector<Node> nodes_of(const Names& names, const std::vector<Json>& objects) {
  std::map<std::pair<Role, std::int32_t>, Node> found;
  for (const Json& each : objects) {
    const std::string kind = text_at(each, {"kind"});
    if (kind != "PersistentVolumeClaim" && kind != "Pod") continue;
    const auto id = number_of(label_of(each, label::kNodeId));
    const std::string component = label_of(each, label::kComponent);
    const std::string pool = label_of(each, label::kPool);
    if (!id || pool.empty() || (component != "broker" && component != "controller")) continue;
    const Role role = component == "broker" ? Role::kBroker : Role::kController;
    const std::string pod_name = names.pod(pool, *id);
    const std::string expected = kind == "Pod" ? pod_name : Names::volume(pod_name);
    if (text_at(each, {"metadata", "name"}) != expected) continue;
    Node& node = found[{role, *id}];
    if (!node.pod_name.empty() && node.pod_name != pod_name) continue;  // not two with one id
    node.role = role;
    node.pool = pool;
    node.id = *id;
    node.pod_name = pod_name;
    if (kind == "Pod") {
      node.pod = &each;
    } else {
      node.volume = &each;
      node.state = state_of(each);
    }
  }
  std::vector<Node> out;
  for (auto& [key, node] : found) out.push_back(std::move(node));
  for (const Json& each : objects) {
    if (text_at(each, {"kind"}) != "ConfigMap") continue;
    const std::string called = text_at(each, {"metadata", "name"});
    const auto node = std::ranges::find_if(
        out, [&](const Node& one) { return Names::config(one.pod_name) == called; });
    if (node != out.end()) node->config = &each;
  }
  return out;
}

bool is_ending(const Json* object) {
  return object != nullptr && find(*object, {"metadata", "deletionTimestamp"}) != nullptr;
}

PodPhase phase_of(const Node& node) {
  if (node.pod == nullptr) return PodPhase::kAbsent;
  if (is_ending(node.pod)) return PodPhase::kEnding;
  const std::string phase = text_at(*node.pod, {"status", "phase"});
  if (phase == "Failed" || phase == "Succeeded") return PodPhase::kEnded;
  if (is_ready(*node.pod)) return PodPhase::kReady;
  return complaint(*node.pod).stuck ? PodPhase::kStuck : PodPhase::kStarting;
}

std::string complaint_of(const Node& node) {
  if (node.pod == nullptr) return "";
  if (const std::string text = complaint(*node.pod).text; !text.empty()) return text;
  return joined(text_at(*node.pod, {"status", "reason"}),
                text_at(*node.pod, {"status", "message"}));
}

bool is_running(const Node& node) {
  if (node.pod == nullptr || is_ending(node.pod)) return false;
  const Json& containers = list_at(*node.pod, {"status", "containerStatuses"});
  return !containers.empty() && find(containers[0], {"state", "running"}) != nullptr;
}

std::string revision_of(const Json& pod) {
  return text_at(pod, {"metadata", "annotations", annotation::kRevision});
}

std::string image_of(const Json& pod) {
  const Json& containers = list_at(pod, {"spec", "containers"});
  return containers.empty() ? "" : text_at(containers[0], {"image"});
}

std::set<std::int32_t> founders_of(const std::vector<Node>& nodes) {
  std::set<std::int32_t> out;
  for (const Node& each : nodes) {
    if (each.role != Role::kController || each.volume == nullptr) continue;
    const std::string text =
        text_at(*each.volume, {"metadata", "annotations", annotation::kFounders});
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      if (const auto id = number_of(std::string_view(text).substr(at, comma - at))) out.insert(*id);
      at = comma + 1;
    }
  }
  return out;
}

}  // namespace kube
