#include "operator/node/loop.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "operator/plan/labels.h"
#include "operator/plan/topic.h"

namespace kube {
namespace {

// Changes come in flurries: one look sees them all.
constexpr base::Duration kSettle = std::chrono::milliseconds(20);

std::size_t digest(const Plan& plan) {
  std::size_t out = plan.actions.size();
  const auto mix = [&](const std::string& text) {
    out = out * 1099511628211ULL + std::hash<std::string>()(text);
  };
  for (const Action& each : plan.actions) {
    mix(describe(each));
    if (const auto* apply = std::get_if<ApplyObject>(&each)) mix(apply->object.dump());
    if (const auto* status = std::get_if<PatchStatus>(&each)) mix(status->status.dump());
  }
  return out;
}

}  // namespace

Operator::Operator(Seams seams, Config config)
    : seams_(std::move(seams)),
      config_(std::move(config)),
      random_(seams_.random.split("operator")),
      queue_(seams_.random.split("queue")),
      observer_(seams_.executor, seams_.api, caches_, seams_.connect, config_.settings),
      actor_({.executor = seams_.executor,
              .api = seams_.api,
              .clock = seams_.clock,
              .diag = seams_.diag,
              .may_write = [this] { return !stopping_ && seams_.may_write(); },
              .instance = config_.instance},
             caches_) {
  wake_.on_fire([this] { pump(); });
}

Operator::~Operator() = default;

void Operator::start() {
  std::vector<std::string> namespaces = config_.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const std::string& ns : namespaces) {
    // What was made for a Cluster is known before the Cluster is.
    for (const Kind* each :
         {&kPods, &kVolumeClaims, &kServices, &kConfigMaps, &kDisruptionBudgets}) {
      follow(*each, ns, label::kCluster);
    }
    follow(kClusters, ns, "");
    follow(kTopics, ns, "");
  }
  for (const auto& each : informers_) each->start();
}

void Operator::follow(const Kind& kind, const std::string& ns, const std::string& selector) {
  informers_.push_back(std::make_unique<Informer>(
      seams_.executor, seams_.api, seams_.diag,
      seams_.random.split(std::string(kind.plural) + "/" + ns),
      Informer::Scope{&kind, ns, selector}, *caches_.of(kind),
      [this, &kind](const Json& object, bool gone) { changed(kind, object, gone); }));
}

bool Operator::synced() const {
  return std::ranges::all_of(informers_, [](const auto& each) { return each->synced(); });
}

std::string Operator::trouble() const {
  for (const auto& each : informers_) {
    if (!each->trouble().empty()) {
      return std::string(each->scope().kind->plural) + ": " + each->trouble();
    }
  }
  return "";
}

void Operator::enqueue(Key::Sort sort, const std::string& ns, const std::string& name) {
  const base::Instant when = seams_.executor.now() + kSettle;
  queue_.add_at({sort, ns, name}, when);
  if (!stopping_ && (!wake_.is_set() || when < wake_.deadline())) {
    seams_.executor.timers().set(wake_, when);
  }
}

void Operator::topics_of(const std::string& ns, const std::string& cluster) {
  for (const JsonPtr& each : caches_.topics.of(cluster_index(ns, cluster))) {
    enqueue(Key::Sort::kTopic, ns, meta_name(*each));
  }
}

void Operator::changed(const Kind& kind, const Json& object, bool gone) {
  const std::string ns = meta_namespace(object);
  const std::string name = meta_name(object);
  if (kind.name == kClusters.name) return cluster_changed(object, gone);
  if (kind.name == kTopics.name) {
    enqueue(Key::Sort::kTopic, ns, name);
    // Who was second to it may be first now, and the other way round.
    const std::string index = topic_index(ns, cluster_of_topic(object), topic_name(object));
    for (const JsonPtr& each : caches_.topics.of(index)) {
      if (meta_name(*each) != name) enqueue(Key::Sort::kTopic, ns, meta_name(*each));
    }
    return;
  }
  const std::string cluster = Caches::cluster_of(object);
  if (kind.name == kPods.name) observer_.pods_changed(ns, cluster);
  enqueue(Key::Sort::kCluster, ns, cluster);
}

void Operator::cluster_changed(const Json& object, bool gone) {
  const std::string ns = meta_namespace(object);
  const std::string name = meta_name(object);
  enqueue(Key::Sort::kCluster, ns, name);
  const bool present = !gone && !is_being_deleted(object);
  bool& was = present_[cluster_index(ns, name)];
  if (std::exchange(was, present) != present) topics_of(ns, name);
  if (gone) {
    present_.erase(cluster_index(ns, name));
    reachable_.erase(cluster_index(ns, name));
    observer_.forget(ns, name);
  }
}

// Begins what is due, as far as there is room, and sets the timer for the rest.
void Operator::pump() {
  if (stopping_) return;
  if (!synced()) {
    // Informers tell nobody that they are complete.
    return seams_.executor.timers().set(wake_, seams_.executor.now() + kSettle);
  }
  const base::Instant now = seams_.executor.now();
  std::optional<base::Instant> next;
  for (const Key::Sort sort : {Key::Sort::kCluster, Key::Sort::kTopic}) {
    const bool cluster = sort == Key::Sort::kCluster;
    std::size_t& running = running_[static_cast<std::size_t>(sort)];
    const std::size_t most = cluster ? config_.clusters_at_once : config_.topics_at_once;
    while (running < most) {
      const auto key = queue_.take(sort, now);
      if (!key) break;
      ++running;
      io::spawn(reconcile(*key), [this, key = *key] {
        --running_[static_cast<std::size_t>(key.sort)];
        queue_.done(key, seams_.executor.now());
        if (stopping_) {
          if (queue_.working() == 0 && stopped_) stopped_();
          return;
        }
        // On a turn of its own: what ends at once must not pile up on the stack.
        seams_.executor.timers().set(wake_, seams_.executor.now());
      });
    }
    if (running >= most) continue;  // who ends pumps again
    if (const auto due = queue_.next(sort); due && (!next || *due < *next)) next = due;
  }
  if (next && !stopping_) seams_.executor.timers().set(wake_, std::max(*next, now));
}

io::Task<void> Operator::reconcile(Key key) {
  SortStats& stats = stats_[static_cast<std::size_t>(key.sort)];
  const base::Instant began = seams_.executor.now();
  const bool cluster = key.sort == Key::Sort::kCluster;
  const Store& store = cluster ? caches_.clusters : caches_.topics;
  const JsonPtr resource = store.find(key.ns, key.name);
  if (!resource) {
    queue_.forget(key);
    failures_.erase(key);
    last_plans_.erase(key);
    co_return;
  }
  stats.reconciles.add();
  if (cluster) {
    co_await reconcile_cluster(key, resource);
  } else {
    co_await reconcile_topic(key, resource);
  }
  stats.seconds.record(static_cast<std::uint64_t>((seams_.executor.now() - began).count()));
}

std::vector<Failure> Operator::failures_of(const Key& key) const {
  const auto at = failures_.find(key);
  return at == failures_.end() ? std::vector<Failure>() : std::vector<Failure>{at->second};
}

io::Task<void> Operator::reconcile_cluster(Key key, JsonPtr resource) {
  auto view = co_await observer_.cluster(resource);
  view.have.failures = failures_of(key);
  const bool answers = view.have.control.has_value();
  Plan plan = plan_cluster(view.have, config_.settings, seams_.clock.wall_ms());
  const Outcome outcome = co_await actor_.carry_out(
      plan, std::make_shared<const Json>(std::move(view.have.resource)), view.control);
  bool& was = reachable_[cluster_index(key.ns, key.name)];
  if (std::exchange(was, answers) != answers) topics_of(key.ns, key.name);
  settle(key, plan, outcome);
}

io::Task<void> Operator::reconcile_topic(Key key, JsonPtr resource) {
  auto view = co_await observer_.topic(resource);
  view.have.failures = failures_of(key);
  Plan plan = plan_topic(view.have, seams_.clock.wall_ms());
  const Outcome outcome = co_await actor_.carry_out(plan, resource, view.control);
  settle(key, plan, outcome);
}

// When the key comes again.
void Operator::settle(const Key& key, const Plan& plan, const Outcome& outcome) {
  SortStats& stats = stats_[static_cast<std::size_t>(key.sort)];
  const base::Instant now = seams_.executor.now();
  if (outcome.failure) {
    stats.failures.add();
    failures_[key] = *outcome.failure;
    last_plans_.erase(key);
    return queue_.retry(key, now);
  }
  failures_.erase(key);
  if (outcome.changes == 0 && !outcome.outdated) {
    stats.steady.add();
    queue_.forget(key);
    last_plans_.erase(key);
    base::Duration wait = config_.resync;
    wait += base::Duration(random_.between(0, wait.count() / 5 + 1));
    if (plan.look_again) wait = std::min<base::Duration>(wait, *plan.look_again);
    return queue_.add_at(key, now + wait);
  }
  // It did something: look whether there is more to do. Unless it did the very same just now,
  // which leads nowhere, and must not keep the API server busy.
  const std::size_t asked = digest(plan);
  const auto [at, first] = last_plans_.try_emplace(key, asked);
  const bool again = !first && std::exchange(at->second, asked) == asked;
  if (again || outcome.outdated) return queue_.retry(key, now);
  queue_.forget(key);
  queue_.add_at(key, now + kSettle);
}

void Operator::stop(std::function<void()> done) {
  stopping_ = true;
  wake_.cancel();
  informers_.clear();
  if (queue_.working() == 0) return done();
  stopped_ = std::move(done);
}

}  // namespace kube
