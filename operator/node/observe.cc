#include "operator/node/observe.h"

#include <algorithm>
#include <utility>

#include "operator/plan/topic.h"

namespace kube {
namespace {

constexpr base::Duration kRacksFresh = std::chrono::seconds(30);
constexpr int kNodesPerPage = 500;
constexpr std::size_t kPagesMax = 100;
constexpr std::int64_t kReplicasDefault = 3;  // min(3, live brokers): controller/cluster/decide.h

bool same(const std::vector<ControllerAddress>& a, const std::vector<ControllerAddress>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.id == y.id && x.host == y.host && x.pod_ip == y.pod_ip && x.port == y.port;
  });
}

// The brokers' default gives a topic as many replicas as there are brokers at that moment, up to
// three: made while a cluster starts, or a broker is away, it would have too few for good.
bool is_early(const Json& cluster, const Json& topic, const std::vector<BrokerSeen>& brokers) {
  if (find(topic, {"spec", "replicationFactor"})) return false;
  if (find(cluster, {"spec", "config", "default.replication.factor"})) return false;
  const std::int64_t wanted = number_at(cluster, {"spec", "brokers", "replicas"}, kReplicasDefault);
  const auto live = std::ranges::count_if(
      brokers, [](const BrokerSeen& each) { return !each.fenced && !each.draining; });
  return live < std::min(wanted, kReplicasDefault);
}

}  // namespace

Observer::Observer(io::Executor& executor, Api& api, Caches& caches, ConnectControl connect,
                   OperatorSettings settings)
    : executor_(executor),
      api_(api),
      caches_(caches),
      connect_(std::move(connect)),
      settings_(std::move(settings)) {}

void Observer::pods_changed(const std::string& ns, const std::string& cluster) {
  const auto at = known_.find(cluster_index(ns, cluster));
  if (at != known_.end()) at->second.stale = true;
}

void Observer::forget(const std::string& ns, const std::string& cluster) {
  known_.erase(cluster_index(ns, cluster));
}

Observer::Known& Observer::known(const std::string& ns, const std::string& cluster) {
  const std::string index = cluster_index(ns, cluster);
  Known& known = known_[index];
  if (!std::exchange(known.stale, false)) return known;
  std::vector<Json> pods;
  for (const JsonPtr& each : caches_.pods.of(index)) pods.push_back(*each);
  auto addresses = controller_addresses(pods);
  if (known.control && same(addresses, known.addresses)) return known;
  known.addresses = std::move(addresses);
  known.control = nullptr;
  if (auto client = connect_(ns, cluster, known.addresses)) {
    known.control = std::make_shared<Control>(executor_, std::move(client));
  }
  return known;
}

io::Task<Observer::ClusterView> Observer::cluster(JsonPtr resource) {
  const std::string ns = meta_namespace(*resource);
  const std::string name = meta_name(*resource);
  ClusterView view;
  view.have.resource = *resource;
  view.control = known(ns, name).control;
  if (!view.control) {
    view.have.control_error = "no controller's Pod runs";
  } else if (auto seen = co_await view.control->observe(); !seen) {
    view.have.control_error = seen.error();
  } else {
    Known& now = known(ns, name);
    if (now.uid != meta_uid(*resource)) {
      now.uid = meta_uid(*resource);
      now.cluster_id.clear();
    }
    if (now.cluster_id.empty()) now.cluster_id = seen->cluster_id;
    // An address of a Pod that went may be another cluster's by now.
    if (now.cluster_id == seen->cluster_id) {
      view.have.control = std::move(*seen);
    } else {
      now.control = nullptr;
      now.stale = true;
      view.have.control_error = "cluster " + seen->cluster_id + " answered instead of " +
                                now.cluster_id + " where a controller was";
      view.control = nullptr;
    }
  }
  if (const std::string key = rack_topology_key(*resource); !key.empty()) {
    view.have.node_racks = co_await racks(key);
  }
  // As late as can be: what was asked meanwhile may have taken a while.
  for (const JsonPtr& each : caches_.owned(ns, name)) view.have.objects.push_back(*each);
  if (const JsonPtr now = caches_.clusters.find(ns, name)) view.have.resource = *now;
  if (view.have.control) {
    const ClusterQuestions questions = cluster_questions(view.have, settings_);
    co_await view.control->answer(questions, *view.have.control);
  }
  co_return view;
}

io::Task<Observer::TopicView> Observer::topic(JsonPtr resource) {
  const std::string ns = meta_namespace(*resource);
  const std::string cluster = cluster_of_topic(*resource);
  const std::string name = topic_name(*resource);
  TopicView view;
  view.have.resource = *resource;
  for (const JsonPtr& each : caches_.topics.of(topic_index(ns, cluster, name))) {
    if (meta_uid(*each) == meta_uid(*resource) || is_being_deleted(*each)) continue;
    view.have.rivals.push_back(
        {meta_name(*each), meta_uid(*each), text_at(*each, {"metadata", "creationTimestamp"})});
  }
  const JsonPtr owner = caches_.clusters.find(ns, cluster);
  if (!owner) co_return view;
  view.have.cluster = ClusterPresence::kUnreachable;
  if (is_being_deleted(*owner)) {
    view.have.cluster = ClusterPresence::kDeleting;
    co_return view;
  }
  view.control = known(ns, cluster).control;
  if (!view.control) {
    view.have.control_error = "no controller's Pod runs";
    co_return view;
  }
  auto brokers = co_await view.control->brokers();
  if (!brokers) {
    view.have.control_error = brokers.error();
    co_return view;
  }
  view.have.brokers = std::move(*brokers);
  auto told = co_await view.control->topic(name);
  if (!told) {
    view.have.control_error = told.error();
    co_return view;
  }
  view.have.topic = std::move(*told);
  if (!view.have.topic && is_early(*owner, *resource, view.have.brokers)) {
    view.have.control_error = "brokers are missing that its replicas are to be on";
    co_return view;
  }
  view.have.cluster = ClusterPresence::kReachable;
  co_return view;
}

// Nodes come and go rarely, and what is asked is one label: they are not followed.
io::Task<std::map<std::string, std::string>> Observer::racks(std::string topology_key) {
  if (const auto at = racks_.find(topology_key);
      at != racks_.end() && executor_.now() < at->second.at + kRacksFresh) {
    co_return at->second.by_node;
  }
  Racks fresh{executor_.now(), {}};
  ApiCall request;
  request.verb = Verb::kList;
  request.kind = &kNodes;
  request.label_selector = topology_key;
  request.limit = kNodesPerPage;
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    const auto nodes = co_await call(api_, request);
    // Rather the racks that were than none: a Node's label does not change for no reason.
    if (!nodes) co_return racks_[topology_key].by_node;
    for (const Json& each : list_at(*nodes, {"items"})) {
      fresh.by_node[meta_name(each)] = meta_label(each, topology_key);
    }
    request.continue_token = text_at(*nodes, {"metadata", "continue"});
    if (request.continue_token.empty()) break;
  }
  racks_[topology_key] = fresh;
  co_return fresh.by_node;
}

}  // namespace kube
