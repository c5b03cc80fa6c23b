// A small world for plans: an API server that keeps what is applied, Pods that start and end step
// by step, controllers that vote, drain and restart what they are asked to. Enough to see whether
// plans come to rest, and what they do on the way there.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/plan/cluster.h"
#include "operator/plan/labels.h"
#include "operator/plan/names.h"

namespace kube::test {

class World {
 public:
  explicit World(Json spec = Json::object()) {
    cluster = {
        {"apiVersion", kApiVersion},
        {"kind", "Cluster"},
        {"metadata", {{"name", "demo"}, {"namespace", "ns"}, {"uid", "u-demo"}, {"generation", 1}}},
        {"spec", std::move(spec)}};
  }

  // ---- what is there

  ClusterHave observe() {
    ClusterHave have;
    have.resource = cluster;
    for (const auto& [key, object] : objects) have.objects.push_back(object);
    have.node_racks = node_racks;
    have.control_error = "nobody leads";
    if (leader() == 0) return have;
    ControlSeen control;
    control.cluster_id = "cluster-id";
    control.leader_id = leader();
    for (const std::int32_t id : voters) control.voters.push_back({id, 0, 0});
    for (const auto& [id, broker] : brokers) control.brokers.push_back(broker);
    control.cluster_configs = configs;
    control.healthy = true;
    if (under_replicated) {
      control.findings.push_back({FindingSeen::Kind::kUnderReplicated, 1, -1, "1 partition lags."});
    }
    control.findings.insert(control.findings.end(), findings.begin(), findings.end());
    have.control = std::move(control);
    const ClusterQuestions asked = cluster_questions(have, settings);
    for (const std::int32_t id : asked.may_restart) {
      have.control->may_restart[id] = {may_restart(id), {"orders-0 would be offline"}};
    }
    for (const std::int32_t id : asked.drains) {
      have.control->drains[id] = {brokers[id].replicas, 0, 0, {}};
    }
    if (asked.even_out) have.control->even_out_moves = moves();
    questions += asked == ClusterQuestions{} ? 0 : 1;
    return have;
  }

  Plan plan() { return plan_cluster(observe(), settings, now); }

  Json* pod(const std::string& name) { return at("Pod/" + name); }
  Json* at(const std::string& key) {
    const auto it = objects.find(key);
    return it == objects.end() ? nullptr : &it->second;
  }
  bool is_ready(const std::string& name) {
    const Json* it = pod(name);
    return it && !list_at(*it, {"status", "conditions"}).empty() &&
           text_at(list_at(*it, {"status", "conditions"})[0], {"status"}) == "True";
  }
  std::string condition(const std::string& type) const {
    for (const Json& each : list_at(cluster, {"status", "conditions"})) {
      if (text_at(each, {"type"}) == type) {
        return text_at(each, {"status"}) + " " + text_at(each, {"reason"});
      }
    }
    return "";
  }
  std::set<std::string> pods() const {
    std::set<std::string> out;
    for (const auto& [key, object] : objects) {
      if (key.starts_with("Pod/")) out.insert(key.substr(4));
    }
    return out;
  }
  int not_ready(const std::string& component) {
    int out = 0;
    for (const std::string& name : pods()) {
      const std::string of = text_at(*pod(name), {"metadata", "labels", label::kComponent});
      if (of == component && !is_ready(name)) ++out;
    }
    return out;
  }

  // ---- what is done

  void act(const Action& action) {
    std::visit([this](const auto& each) { carry_out(each); }, action);
  }

  // The world goes on by one step: false when nothing happens any more.
  bool step() {
    bool moved = false;
    for (auto it = objects.begin(); it != objects.end();) {
      const bool ending = it->second["metadata"].contains("deletionTimestamp");
      if (ending) moved = true;
      it = ending ? objects.erase(it) : std::next(it);
    }
    for (auto& [key, object] : objects) {
      if (key.starts_with("Pod/")) moved = step_pod(object) || moved;
      if (key.starts_with("PersistentVolumeClaim/")) moved = step_volume(object) || moved;
    }
    found();
    for (auto& [id, broker] : brokers) {
      const bool away = !has_ready_broker(id);
      moved = moved || broker.fenced != away;
      broker.fenced = away;
      if (broker.draining && broker.replicas > 0 && !stuck_drains) {
        --broker.replicas;
        moved = true;
      }
    }
    now += 1000;
    return moved;
  }

  Json cluster;
  std::map<std::string, Json> objects;  // by "Kind/name"
  std::set<std::int32_t> voters;
  std::map<std::int32_t, BrokerSeen> brokers;
  std::map<std::string, std::string> configs;
  std::set<std::string> broken_images;
  std::map<std::string, std::string> node_racks;
  bool under_replicated = false;
  std::vector<FindingSeen> findings;  // more of them
  bool stuck_drains = false;
  bool refuses_restarts = false;
  bool shares_nothing = false;  // no two brokers have a partition in common
  OperatorSettings settings;
  base::WallMs now = 1'800'000'000'000;
  int writes = 0;
  int questions = 0;
  std::vector<std::string> restarted;
  std::vector<std::string> done;  // describe() of each action but statuses and events

 private:
  std::int32_t leader() const {
    std::int32_t first = 0;
    std::size_t there = 0;
    for (const std::int32_t id : voters) {
      const auto it = objects.find("Pod/demo-controller-" + std::to_string(id));
      if (it == objects.end() || text_at(it->second, {"status", "phase"}) != "Running") continue;
      if (it->second["metadata"].contains("deletionTimestamp")) continue;
      ++there;
      if (first == 0) first = id;
    }
    return there * 2 > voters.size() ? first : 0;
  }

  bool may_restart(std::int32_t id) const {
    if (refuses_restarts) return false;
    if (shares_nothing) return true;
    return std::ranges::none_of(
        brokers, [&](const auto& each) { return each.first != id && each.second.fenced; });
  }

  std::int32_t moves() const {
    std::int32_t out = 0;
    for (const auto& [id, broker] : brokers) out += broker.replicas == 0 ? 1 : 0;
    return out;
  }

  bool has_ready_broker(std::int32_t id) const {
    return std::ranges::any_of(objects, [&](const auto& each) {
      const Json& object = each.second;
      return each.first.starts_with("Pod/") &&
             text_at(object, {"metadata", "labels", label::kComponent}) == "broker" &&
             text_at(object, {"metadata", "labels", label::kNodeId}) == std::to_string(id) &&
             text_at(object, {"status", "phase"}) == "Running" &&
             !object["metadata"].contains("deletionTimestamp");
    });
  }

  // The first quorum: once all who are to found it run.
  void found() {
    if (!voters.empty()) return;
    std::set<std::int32_t> founders;
    for (const auto& [key, object] : objects) {
      if (!key.starts_with("PersistentVolumeClaim/demo-controller") &&
          !key.starts_with("PersistentVolumeClaim/data-demo-controller")) {
        continue;
      }
      const std::string text = text_at(object, {"metadata", "annotations", annotation::kFounders});
      for (const char c : text) {
        if (c != ',') founders.insert(c - '0');
      }
    }
    for (const std::int32_t id : founders) {
      const Json* it = pod("demo-controller-" + std::to_string(id));
      if (it == nullptr || text_at(*it, {"status", "phase"}) != "Running") return;
    }
    voters = founders;
  }

  bool step_pod(Json& pod) {
    const std::string name = text_at(pod, {"metadata", "name"});
    const std::string image = text_at(pod["spec"]["containers"][0], {"image"});
    if (objects.count("PersistentVolumeClaim/data-" + name) == 0 ||
        objects.count("ConfigMap/" + name + "-config") == 0) {
      return false;  // it waits for them
    }
    if (broken_images.contains(image)) {
      pod["status"] = {
          {"phase", "Pending"},
          {"containerStatuses",
           Json::array({{{"state",
                          {{"waiting",
                            {{"reason", "ImagePullBackOff"}, {"message", "no such image"}}}}}}})}};
      return false;
    }
    const std::string id = text_at(pod, {"metadata", "labels", label::kNodeId});
    const bool broker = text_at(pod, {"metadata", "labels", label::kComponent}) == "broker";
    if (text_at(pod, {"status", "phase"}) != "Running") {
      pod["status"] = {
          {"phase", "Running"},
          {"containerStatuses", Json::array({{{"state", {{"running", {{"a", 1}}}}}}})}};
      return true;
    }
    if (is_ready(name) || leader() == 0) return false;
    if (!broker && !voters.contains(std::stoi(id))) return false;  // it knows of no leader
    pod["status"]["conditions"] = Json::array({{{"type", "Ready"}, {"status", "True"}}});
    if (broker && !brokers.contains(std::stoi(id))) {
      brokers[std::stoi(id)] = {
          std::stoi(id), "", false, false, voters.empty() ? 0 : first_load, 0};
    }
    return true;
  }

  bool step_volume(Json& volume) {
    const Json size = volume["spec"]["resources"]["requests"]["storage"];
    if (volume["status"]["capacity"]["storage"] == size) return false;
    volume["status"]["capacity"]["storage"] = size;
    return true;
  }

  void carry_out(const ApplyObject& it) {
    note(it);
    const std::string key =
        text_at(it.object, {"kind"}) + "/" + text_at(it.object, {"metadata", "name"});
    Json& there = objects[key];
    const Json before = there;
    if (there.is_null()) {
      there = it.object;
      there["metadata"]["uid"] = "u-" + std::to_string(++uids_);
    } else if (!key.starts_with("Pod/")) {
      const Json uid = there["metadata"]["uid"];
      const Json status = there.contains("status") ? there["status"] : Json();
      there = it.object;
      there["metadata"]["uid"] = uid;
      if (!status.is_null()) there["status"] = status;
    }
    if (there != before) ++writes;
  }
  void carry_out(const DeleteObject& it) {
    note(it);
    Json* there = at(it.object.kind + "/" + it.object.name);
    if (there == nullptr || text_at(*there, {"metadata", "uid"}) != it.uid) return;
    (*there)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
    ++writes;
    if (it.object.kind == "Pod") restarted.push_back(it.object.name);
  }
  void carry_out(const PatchStatus& it) {
    cluster["status"] = it.status;
    ++writes;
  }
  void carry_out(const EmitEvent& it) { events.push_back(it.reason); }
  void carry_out(const DrainBroker& it) {
    note(it);
    brokers.at(it.broker).draining = true;
  }
  void carry_out(const ResumeBroker& it) {
    note(it);
    brokers.at(it.broker).draining = false;
  }
  void carry_out(const UnregisterBroker& it) {
    note(it);
    EXPECT_TRUE(brokers.at(it.broker).fenced);
    EXPECT_EQ(brokers.at(it.broker).replicas, 0);
    brokers.erase(it.broker);
  }
  void carry_out(const AddVoter& it) {
    note(it);
    voters.insert(it.controller);
  }
  void carry_out(const RemoveVoter& it) {
    note(it);
    voters.erase(it.controller);
  }
  void carry_out(const EvenOut& it) {
    note(it);
    for (auto& [id, broker] : brokers) broker.replicas += broker.replicas == 0 ? 1 : 0;
  }
  void carry_out(const AlterClusterConfigs& it) {
    note(it);
    for (const auto& [key, value] : it.changes) {
      if (value) {
        configs[key] = *value;
      } else {
        configs.erase(key);
      }
    }
  }
  void carry_out(const auto&) { FAIL() << "not of a Cluster"; }

  void note(const Action& action) { done.push_back(describe(action)); }

  int uids_ = 0;

 public:
  int first_load = 2;  // replicas that a new broker gets at once
  std::vector<std::string> events;
};

inline constexpr int kStepsMax = 400;

// How many actions of a plan are done before the operator is killed: all, or the first `left`.
struct Life {
  int left = -1;
};

// Lets operator and world take turns until both have nothing to do. `watch` sees every moment.
template <class Watch>
void run(World& world, Life life, Watch watch) {
  for (int i = 0; i < kStepsMax; ++i) {
    const Plan plan = world.plan();
    for (const Action& action : plan.actions) {
      if (life.left == 0) break;
      if (life.left > 0) --life.left;
      world.act(action);
      watch();
    }
    life.left = -1;  // another one takes over
    const bool moved = world.step();
    watch();
    if (!moved && plan.actions.empty()) return;
  }
  const Plan plan = world.plan();
  for (const Action& each : plan.actions) ADD_FAILURE() << "still to do: " << describe(each);
  FAIL() << "does not come to rest: " << world.cluster["status"].dump(1);
}

inline void run(World& world) {
  run(world, {}, [] {});
}

inline World installed(Json spec = Json::object()) {
  World world(std::move(spec));
  run(world);
  world.done.clear();
  world.restarted.clear();
  return world;
}

// Never two of a kind away at once.
inline auto one_at_a_time(World& world) {
  return [&world] {
    EXPECT_LE(world.not_ready("broker"), 1);
    EXPECT_LE(world.not_ready("controller"), 1);
  };
}

}  // namespace kube::test
