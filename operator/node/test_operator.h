// One or more operators over the world of test_world.h, for tests: started, ended, killed; Clusters
// and Topics as a person would apply them, and what became of them. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "operator/node/loop.h"
#include "operator/node/test_world.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_diag.h"

namespace kube {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// One process of the operator.
struct Instance {
  Instance(sim::World& world, TestServer& server, TestNodes& nodes, int number)
      : executor(world, "operator-" + std::to_string(number)),
        api(world, executor, server),
        clock(world),
        loop(std::make_unique<Operator>(
            Operator::Seams{
                .executor = executor,
                .api = api,
                .clock = clock,
                .diag = diag,
                .random = world.random("operator-" + std::to_string(number)),
                .connect = [this, &nodes](const std::string& ns, const std::string& name,
                                          const std::vector<ControllerAddress>& at)
                    -> std::shared_ptr<io::RpcClient> {
                  const bool any = std::ranges::any_of(
                      at, [](const auto& each) { return !each.pod_ip.empty(); });
                  return any ? nodes.connect(executor, ns, name) : nullptr;
                },
                .may_write = [this] { return leads && !api.dead(); }},
            Operator::Config{})) {}
  base::SilentDiag diag;
  sim::SimExecutor executor;
  TestApi api;
  sim::SimClock clock;
  bool leads = true;
  std::unique_ptr<Operator> loop;
};

// A world with any number of operators in it.
class Scene {
 public:
  ~Scene() {
    for (auto& each : instances) end(*each);
  }
  Instance& start() {
    instances.push_back(
        std::make_unique<Instance>(world, server, nodes, static_cast<int>(instances.size())));
    instances.back()->loop->start();
    return *instances.back();
  }
  // Everything under way ends before the process does: in the world it is dead already.
  void end(Instance& instance) {
    if (!instance.loop) return;
    bool ended = false;
    instance.loop->stop([&] { ended = true; });
    EXPECT_TRUE(world.run_until([&] { return ended; }, minutes(2)));
    instance.loop.reset();
    instance.api.rest();
  }
  void apply_cluster(const std::string& name = "demo", Json spec = Json::object()) {
    if (server.find(kClusters, "n", name)) {
      return server.change(kClusters, "n", name, [&](Json& object) {
        object["spec"] = spec;
        object["metadata"]["generation"] = number_at(object, {"metadata", "generation"}) + 1;
      });
    }
    server.create(kClusters,
                  {{"metadata", {{"name", name}, {"namespace", "n"}}}, {"spec", std::move(spec)}});
  }
  void apply_topic(const std::string& name, Json spec = Json::object()) {
    if (!spec.contains("clusterRef")) spec["clusterRef"] = {{"name", "demo"}};
    server.create(kTopics,
                  {{"metadata", {{"name", name}, {"namespace", "n"}}}, {"spec", std::move(spec)}});
  }
  bool is(const Kind& kind, const std::string& name, const std::string& condition,
          const std::string& status = "True") const {
    const Json* object = server.find(kind, "n", name);
    if (!object) return false;
    const auto generation = number_at(*object, {"metadata", "generation"});
    for (const Json& each : list_at(*object, {"status", "conditions"})) {
      if (text_at(each, {"type"}) != condition) continue;
      return text_at(each, {"status"}) == status &&
             number_at(each, {"observedGeneration"}) == generation;
    }
    return false;
  }
  bool ready(const std::string& name = "demo") const {
    return is(kClusters, name, "Ready") && is(kClusters, name, "Progressing", "False");
  }
  bool until(const std::function<bool()>& done, base::Duration limit = minutes(3)) {
    const base::Instant end = world.now() + limit;
    for (; !done(); world.run_for(milliseconds(50))) {
      if (world.now() >= end) return false;
    }
    return true;
  }
  std::string why(const Kind& kind = kClusters, const std::string& name = "demo") const {
    const Json* object = server.find(kind, "n", name);
    std::string out = object ? object_at(*object, {"status"}).dump(1) : "no such object";
    for (const std::string& each : server.log) out += "\n" + each;
    return out;
  }
  // Nothing is written, nothing ordered, for that long.
  void expect_quiet(base::Duration span = minutes(2)) {
    // What was just done may still be looked at once more.
    world.run_for(seconds(2));
    const std::uint64_t version = server.version();
    const std::uint64_t writes = server.writes;
    const std::uint64_t changes = nodes.cluster("n", "demo").changes;
    world.run_for(span);
    EXPECT_EQ(server.writes, writes) << server.log.back();
    EXPECT_EQ(server.version(), version);
    EXPECT_EQ(nodes.cluster("n", "demo").changes, changes);
  }
  std::size_t pods() const { return server.all(kPods).size(); }

  sim::World world{1};
  TestServer server;
  TestNodes nodes{world, server};
  std::vector<std::unique_ptr<Instance>> instances;
};

}  // namespace kube
