#include "operator/node/test_world.h"

#include <algorithm>
#include <utility>

#include "operator/plan/labels.h"

namespace kube {
namespace {

constexpr base::Duration kTick = std::chrono::milliseconds(100);
constexpr base::Duration kRpcTime = std::chrono::milliseconds(1);

}  // namespace

bool is_pod_ready(const Json& pod) {
  return std::ranges::any_of(list_at(pod, {"status", "conditions"}), [](const Json& each) {
    return text_at(each, {"type"}) == "Ready" && text_at(each, {"status"}) == "True";
  });
}

// ---- nodes

TestNodes::TestNodes(sim::World& world, TestServer& server) : world_(world), server_(server) {
  world_.after(kTick, [this] { tick(); });
}

TestCluster& TestNodes::cluster(const std::string& ns, const std::string& name) {
  auto& held = clusters_[ns + "/" + name];
  if (!held) held = std::make_unique<TestCluster>(world_, clusters_.size());
  return *held;
}

void TestNodes::tick() {
  world_.after(kTick, [this] { tick(); });
  for (const Json& claim : server_.all(kVolumeClaims)) {
    const std::string asked = text_at(claim, {"spec", "resources", "requests", "storage"});
    if (text_at(claim, {"status", "capacity", "storage"}) == asked) continue;
    server_.change(kVolumeClaims, meta_namespace(claim), meta_name(claim), [&](Json& object) {
      object["status"] = {{"phase", "Bound"}, {"capacity", {{"storage", asked}}}};
    });
  }
  std::set<std::pair<std::string, std::string>> there;
  for (const Json& pod : server_.all(kPods)) {
    there.emplace(meta_namespace(pod), meta_name(pod));
    tend(pod);
  }
  std::erase_if(running_, [&](const auto& each) { return !there.contains(each.first); });
  judge();
}

void TestNodes::tend(const Json& pod) {
  const std::string ns = meta_namespace(pod);
  const std::string name = meta_name(pod);
  Running& mine = running_[{ns, name}];
  if (mine.uid != meta_uid(pod)) mine = {meta_uid(pod), world_.now(), std::nullopt};
  if (is_being_deleted(pod)) {
    if (!mine.ending) mine.ending = world_.now();
    if (*mine.ending + stop_time <= world_.now()) server_.remove(kPods, ns, name);
    return;
  }
  const Json& containers = list_at(pod, {"spec", "containers"});
  const std::string image = containers.empty() ? "" : text_at(containers[0], {"image"});
  if (!missing_image.empty() && image == missing_image) {
    server_.change(kPods, ns, name, [&](Json& object) {
      object["status"]["phase"] = "Pending";
      object["status"]["containerStatuses"] = Json::parse(
          R"([{"state":{"waiting":{"reason":"ImagePullBackOff","message":"no such image"}}}])");
    });
    return;
  }
  const bool ready = mine.since + start_time <= world_.now();
  if (is_pod_ready(pod) || (!ready && text_at(pod, {"status", "phase"}) == "Running")) return;
  server_.change(kPods, ns, name, [&](Json& object) {
    object["spec"]["nodeName"] = "node-1";
    Json& status = object["status"];
    status["phase"] = "Running";
    if (!status.contains("podIP")) status["podIP"] = "10.0.0." + std::to_string(++last_ip_);
    status["containerStatuses"] = Json::parse(R"([{"state":{"running":{}}}])");
    status["conditions"] = Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}});
  });
}

// Tells each cluster which of its processes are up, and counts brokers that are away.
void TestNodes::judge() {
  std::map<std::string, std::pair<std::set<std::int32_t>, std::set<std::int32_t>>> up;
  std::set<std::string> ready;
  for (const Json& pod : server_.all(kPods)) {
    const std::string cluster = meta_namespace(pod) + "/" + meta_label(pod, label::kCluster);
    auto& [controllers, brokers] = up[cluster];
    if (!is_pod_ready(pod) || is_being_deleted(pod)) continue;
    const std::int32_t id = std::stoi(meta_label(pod, label::kNodeId));
    const bool broker = meta_label(pod, label::kComponent) == "broker";
    (broker ? brokers : controllers).insert(id);
    if (broker) ready.insert(meta_namespace(pod) + "/" + meta_name(pod));
  }
  for (const std::string& each : ready) once_ready.insert(each);
  std::size_t away = 0;
  for (const std::string& each : once_ready) away += ready.contains(each) ? 0 : 1;
  worst_away = std::max(worst_away, away);
  for (const Json& each : server_.all(kClusters)) {
    const std::string key = meta_namespace(each) + "/" + meta_name(each);
    cluster(meta_namespace(each), meta_name(each))
        .look(up[key].first, up[key].second,
              static_cast<std::size_t>(number_at(each, {"spec", "controllers", "replicas"}, 3)));
  }
}

namespace {

class Client final : public io::RpcClient {
 public:
  Client(sim::World& world, sim::SimExecutor& executor, TestCluster& cluster)
      : world_(world), executor_(executor), cluster_(cluster) {}
  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override {
    auto result = cluster_.answer(method, request);
    world_.after(result ? kRpcTime : timeout, [executor = &executor_, reply = std::move(reply),
                                               result = std::move(result)]() mutable {
      executor->post([reply = std::move(reply), result = std::move(result)]() mutable {
        reply(std::move(result));
      });
    });
  }
  std::unique_ptr<io::RpcStream> subscribe(const std::string&, std::string,
                                           io::RpcStreamHandler) override {
    return nullptr;
  }

 private:
  sim::World& world_;
  sim::SimExecutor& executor_;
  TestCluster& cluster_;
};

}  // namespace

std::shared_ptr<io::RpcClient> TestNodes::connect(sim::SimExecutor& executor, const std::string& ns,
                                                  const std::string& name) {
  return std::make_shared<Client>(world_, executor, cluster(ns, name));
}

}  // namespace kube
