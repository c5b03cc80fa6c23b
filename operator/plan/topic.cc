#include "operator/plan/topic.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "operator/plan/nodes.h"
#include "operator/plan/replicas.h"
#include "operator/plan/status.h"
#include "operator/types/conditions.h"
#include "operator/types/topic.h"

namespace kube {
namespace {

constexpr std::chrono::milliseconds kSoon{500};
constexpr std::chrono::milliseconds kLater{5'000};

// What keeps the topic from being as wanted, for the status; `ready` alone when nothing does.
struct Verdict {
  bool ready = false;
  bool degraded = false;  // it will not mend itself
  std::string_view reason = reason::kReady;
  std::string message;
};

bool has_finalizer(const Json& resource) {
  return std::ranges::count(list_at(resource, {"metadata", "finalizers"}), Json(kTopicFinalizer)) >
         0;
}

PatchFinalizers with_finalizer(const Json& resource, bool wanted) {
  PatchFinalizers out;
  out.resource_version = text_at(resource, {"metadata", "resourceVersion"});
  for (const Json& each : list_at(resource, {"metadata", "finalizers"})) {
    if (each.is_string() && each != kTopicFinalizer) out.finalizers.push_back(each);
  }
  if (wanted) out.finalizers.emplace_back(kTopicFinalizer);
  return out;
}

// The oldest Topic of a name stands for it; of two of one second, the one with the lesser uid.
const Rival* older_rival(const TopicHave& have) {
  const auto age = [](const std::string& created, const std::string& uid) {
    return std::pair(created, uid);
  };
  const auto mine = age(text_at(have.resource, {"metadata", "creationTimestamp"}),
                        text_at(have.resource, {"metadata", "uid"}));
  for (const Rival& each : have.rivals) {
    if (age(each.creation_timestamp, each.uid) < mine) return &each;
  }
  return nullptr;
}

std::string known_id(const TopicHave& have) {
  return text_at(have.resource, {"status", "topicId"});
}

class TopicPlan {
 public:
  TopicPlan(const TopicHave& have, TopicSpec spec, base::WallMs now)
      : have_(have), spec_(std::move(spec)), now_(now) {}

  Plan make() {
    if (is_ending(&have_.resource)) {
      end();
      return std::move(plan_);
    }
    const bool wanted = spec_.deletion_policy == DeletionPolicy::kDelete;
    const bool stands = older_rival(have_) == nullptr;
    if (has_finalizer(have_.resource) != (wanted && stands)) {
      plan_.actions.push_back(with_finalizer(have_.resource, wanted && stands));
    }
    const Verdict verdict = judge();
    if (verdict.reason != reason::kReady) plan_.look_again = verdict.degraded ? kLater : kSoon;
    // A topic that is made anew needs no word before: it is there in a moment.
    const bool only_creating = verdict.reason == reason::kCreating && have_.failures.empty();
    if (!only_creating && !keeps_quiet(verdict)) report(verdict);
    return std::move(plan_);
  }

 private:
  // The finalizer holds the resource until the topic is deleted; it never waits for a cluster that
  // is gone, nor deletes a topic that is not its own.
  void end() {
    if (!has_finalizer(have_.resource)) return;
    const bool gone =
        have_.cluster == ClusterPresence::kAbsent || have_.cluster == ClusterPresence::kDeleting;
    const bool keep = spec_.deletion_policy != DeletionPolicy::kDelete || older_rival(have_);
    if (!gone && !keep && have_.cluster == ClusterPresence::kUnreachable) {
      report({false, false, reason::kClusterUnreachable,
              "The topic is to be deleted, but no controller answers: " + have_.control_error});
      plan_.look_again = kLater;
      return;
    }
    const bool same =
        have_.topic && (known_id(have_).empty() || known_id(have_) == have_.topic->id);
    if (!gone && !keep && same) {
      plan_.actions.push_back(DeleteTopic{spec_.name, have_.topic->id});
    }
    plan_.actions.push_back(with_finalizer(have_.resource, false));
  }

  Verdict judge() {
    if (have_.cluster == ClusterPresence::kAbsent || have_.cluster == ClusterPresence::kDeleting) {
      return {false, true, reason::kClusterNotFound, "There is no Cluster " + spec_.cluster + "."};
    }
    if (const Rival* rival = older_rival(have_)) {
      return {false, true, reason::kConflict,
              "Topic " + rival->name + " is older and stands for " + spec_.name + "."};
    }
    if (have_.cluster == ClusterPresence::kUnreachable) {
      return {false, false, reason::kClusterUnreachable,
              "No controller of Cluster " + spec_.cluster + " answers: " + have_.control_error};
    }
    if (!have_.topic) return judge_absent();
    if (!known_id(have_).empty() && known_id(have_) != have_.topic->id) {
      return {false, true, reason::kTopicIdentityChanged,
              "Topic " + spec_.name + " was deleted and made anew by somebody else: it is " +
                  have_.topic->id + ", not " + known_id(have_) + ". Nothing is changed in it."};
    }
    return judge_present(*have_.topic);
  }

  std::size_t brokers_there() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        have_.brokers, [](const BrokerSeen& each) { return !each.fenced && !each.draining; }));
  }
  bool too_few_brokers() const {
    return spec_.replication_factor &&
           static_cast<std::size_t>(*spec_.replication_factor) > brokers_there();
  }
  Verdict of_too_few() const {
    return {false, true, reason::kTooFewBrokers,
            "spec.replicationFactor is " + std::to_string(*spec_.replication_factor) + ", but " +
                std::to_string(brokers_there()) + " brokers are there."};
  }

  Verdict judge_absent() {
    if (!known_id(have_).empty()) {
      return {false, true, reason::kTopicVanished,
              "Topic " + spec_.name + " (" + known_id(have_) +
                  ") was deleted by somebody else. It is not made anew by itself."};
    }
    if (too_few_brokers()) return of_too_few();
    plan_.actions.push_back(CreateTopic{spec_.name, spec_.partitions.value_or(-1),
                                        spec_.replication_factor.value_or(-1), spec_.config});
    return {false, false, reason::kCreating, "Topic " + spec_.name + " is being created."};
  }

  Verdict judge_present(const TopicSeen& topic) {
    Verdict out{true, false, reason::kReady, "As wanted."};
    change_configs(topic, out);
    change_factor(topic, out);
    const auto there = static_cast<std::int32_t>(topic.partitions.size());
    if (!spec_.partitions || *spec_.partitions == there) return out;
    if (*spec_.partitions > there) {
      plan_.actions.push_back(CreatePartitions{spec_.name, *spec_.partitions});
      return {false, false, reason::kChanging, "Partitions are added."};
    }
    return {false, true, reason::kPartitionDecrease,
            "spec.partitions is " + std::to_string(*spec_.partitions) + ", but topic " +
                spec_.name + " has " + std::to_string(there) +
                ", and records would be lost with fewer."};
  }

  void change_configs(const TopicSeen& topic, Verdict& out) {
    ConfigChanges changes;
    for (const auto& [key, value] : spec_.config) {
      const auto at = topic.configs.find(key);
      if (at == topic.configs.end() || at->second != value) changes[key] = value;
    }
    for (const std::string& key : keys_set()) {
      if (!spec_.config.contains(key) && topic.configs.contains(key)) changes[key] = std::nullopt;
    }
    if (changes.empty()) return;
    plan_.actions.push_back(AlterTopicConfigs{spec_.name, std::move(changes)});
    out = {false, false, reason::kChanging, "Configs are changed."};
  }

  void change_factor(const TopicSeen& topic, Verdict& out) {
    const bool moves = std::ranges::any_of(topic.partitions, [](const PartitionSeen& each) {
      return !each.adding.empty() || !each.removing.empty();
    });
    const Verdict moving{false, false, reason::kReassigning, "Replicas are being moved."};
    if (!spec_.replication_factor) return;
    const auto factor = static_cast<std::size_t>(*spec_.replication_factor);
    const bool differs = std::ranges::any_of(topic.partitions, [&](const PartitionSeen& each) {
      return each.replicas.size() - each.removing.size() != factor;
    });
    if (!differs) return;
    if (moves) {
      out = moving;
      return;
    }
    Reassign change{spec_.name, with_factor(topic.partitions, factor, have_.brokers)};
    if (change.replicas.empty()) {
      out = of_too_few();
      return;
    }
    plan_.actions.push_back(std::move(change));
    out = moving;
  }

  std::set<std::string> keys_set() const {
    std::set<std::string> out;
    for (const Json& each : list_at(have_.resource, {"status", "configKeys"})) {
      if (each.is_string()) out.insert(each.get<std::string>());
    }
    return out;
  }

  // That a cluster does not answer for a moment is no news for each of a thousand topics.
  bool keeps_quiet(const Verdict& verdict) const {
    return verdict.reason == reason::kClusterUnreachable && !known_id(have_).empty() &&
           number_at(have_.resource, {"status", "observedGeneration"}) ==
               number_at(have_.resource, {"metadata", "generation"});
  }

  Json status_with(const Verdict& verdict) const {
    const Json& resource = have_.resource;
    const bool failed = !have_.failures.empty() && !verdict.ready;
    const std::string_view reason = failed ? reason::kActionFailed : verdict.reason;
    const std::string message =
        failed ? have_.failures.front().action + ": " + have_.failures.front().message
               : verdict.message;
    const bool progressing = !verdict.ready && !verdict.degraded;
    Json out = object_at(resource, {"status"});
    out["observedGeneration"] = number_at(resource, {"metadata", "generation"});
    out["message"] = message;
    out["topicName"] = spec_.name;
    const bool changing = progressing && !failed;
    out["conditions"] = conditions_of(
        resource,
        {{condition::kReady, verdict.ready, reason, message},
         {condition::kProgressing, progressing, progressing ? reason : reason::kAsWanted, ""},
         {condition::kDegraded, !verdict.ready && !changing,
          !verdict.ready && !changing ? reason : reason::kAsWanted, ""},
         {condition::kUpgradeBlocked, false, reason::kAsWanted, ""},
         {condition::kStable, verdict.ready, verdict.ready ? reason::kAsWanted : reason::kChanging,
          ""}},
        now_);
    if (!have_.topic || older_rival(have_)) return out;
    if (known_id(have_).empty()) out["topicId"] = have_.topic->id;
    if (known_id(have_).empty() || known_id(have_) == have_.topic->id) add_facts(out);
    return out;
  }

  void add_facts(Json& out) const {
    const TopicSeen& topic = *have_.topic;
    out["partitions"] = topic.partitions.size();
    std::size_t factor = topic.partitions.empty() ? 0 : SIZE_MAX;
    for (const PartitionSeen& each : topic.partitions) {
      factor = std::min(factor, each.replicas.size() - each.adding.size());
    }
    out["replicationFactor"] = factor;
    // Written before they are set, and struck out once they are reset.
    std::set<std::string> keys;
    for (const auto& [key, value] : spec_.config) keys.insert(key);
    for (const std::string& key : keys_set()) {
      if (topic.configs.contains(key)) keys.insert(key);
    }
    out["configKeys"] = keys;
  }

  void report(const Verdict& verdict) {
    Json status = status_with(verdict);
    if (status == object_at(have_.resource, {"status"})) return;
    const Json& before = condition_of(have_.resource, condition::kReady);
    if (verdict.degraded && text_at(before, {"reason"}) != verdict.reason) {
      plan_.actions.push_back(EmitEvent{EmitEvent::Type::kWarning, std::string(verdict.reason),
                                        "Reconcile", verdict.message, std::nullopt});
    }
    plan_.actions.insert(plan_.actions.begin(), PatchStatus{std::move(status)});
  }

  const TopicHave& have_;
  const TopicSpec spec_;
  const base::WallMs now_;
  Plan plan_;
};

Plan of_invalid(const TopicHave& have, const std::string& problems, base::WallMs now) {
  Plan plan;
  if (is_ending(&have.resource)) {
    if (has_finalizer(have.resource)) plan.actions.push_back(with_finalizer(have.resource, false));
    return plan;
  }
  Json status = object_at(have.resource, {"status"});
  status["observedGeneration"] = number_at(have.resource, {"metadata", "generation"});
  status["message"] = problems;
  status["conditions"] =
      conditions_of(have.resource,
                    {{condition::kReady, false, reason::kInvalidSpec, problems},
                     {condition::kProgressing, false, reason::kInvalidSpec, ""},
                     {condition::kDegraded, true, reason::kInvalidSpec, problems},
                     {condition::kUpgradeBlocked, false, reason::kInvalidSpec, ""},
                     {condition::kStable, false, reason::kInvalidSpec, ""}},
                    now);
  if (status != object_at(have.resource, {"status"})) {
    plan.actions.push_back(PatchStatus{std::move(status)});
  }
  return plan;
}

}  // namespace

Plan plan_topic(const TopicHave& have, base::WallMs now) {
  auto spec = topic_spec(have.resource);
  if (!spec) return of_invalid(have, describe(spec.error()), now);
  return TopicPlan(have, std::move(*spec), now).make();
}

std::string topic_name(const Json& topic) {
  return text_at(topic, {"spec", "topicName"}, text_at(topic, {"metadata", "name"}));
}

std::string cluster_of_topic(const Json& topic) {
  return text_at(topic, {"spec", "clusterRef", "name"});
}

}  // namespace kube
