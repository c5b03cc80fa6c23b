// The world around the operator, for tests: nodes that run Pods and bind volumes, and the
// controllers and brokers that would be in those Pods. Both look at the API server's objects every
// now and then, as kubelets do.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/uuid.h"
#include "common/io/rpc.h"
#include "operator/node/test_kube.h"
#include "tests/sim/world.h"

namespace kube {

// One Moldau cluster, as its active controller tells of it.
class TestCluster {
 public:
  struct Broker {
    bool fenced = true;
    bool draining = false;
    base::Instant since{};  // not fenced
  };
  struct Topic {
    base::Uuid id;
    std::vector<std::vector<std::int32_t>> partitions;
    std::map<std::string, std::string> configs;
  };

  TestCluster(sim::World& world, std::uint64_t number) : world_(world), id_{7, number} {}

  // Answers of the active controller; a refusal when there is none.
  io::IoResult<std::string> answer(const std::string& method, const std::string& request);
  // What the Pods of this moment are: ready ones take part. Once per tick.
  void look(const std::set<std::int32_t>& controllers, const std::set<std::int32_t>& brokers,
            std::size_t controllers_wanted);
  bool has_quorum() const;
  bool in_sync(std::int32_t broker) const;

  std::map<std::int32_t, Broker> brokers;
  std::set<std::int32_t> voters;
  std::set<std::int32_t> controllers_up;
  std::map<std::string, Topic> topics;
  std::map<std::string, std::string> configs;
  std::uint64_t calls = 0;
  std::uint64_t changes = 0;  // orders that changed something

 private:
  std::int32_t replicas_on(std::int32_t broker) const;
  void move_replicas();

  sim::World& world_;
  const base::Uuid id_;
  std::uint64_t last_topic_ = 0;

  friend struct TestAdmin;
};

// The Kubernetes nodes, and every Moldau cluster that runs on them.
class TestNodes {
 public:
  TestNodes(sim::World& world, TestServer& server);

  TestCluster& cluster(const std::string& ns, const std::string& name);
  // A client of that cluster's controllers, that answers on `executor`.
  std::shared_ptr<io::RpcClient> connect(sim::SimExecutor& executor, const std::string& ns,
                                         const std::string& name);

  // An image that cannot be had.
  std::string missing_image;
  base::Duration start_time = std::chrono::milliseconds(400);
  base::Duration stop_time = std::chrono::milliseconds(300);
  // Broker Pods that were ready before and are not now, at most, since the last reset.
  std::size_t worst_away = 0;
  std::set<std::string> once_ready;

 private:
  struct Running {
    std::string uid;
    base::Instant since;
    std::optional<base::Instant> ending;
  };
  void tick();
  void tend(const Json& pod);
  void judge();

  sim::World& world_;
  TestServer& server_;
  std::map<std::pair<std::string, std::string>, Running> running_;
  std::map<std::string, std::unique_ptr<TestCluster>> clusters_;
  int last_ip_ = 0;
};

bool is_pod_ready(const Json& pod);

}  // namespace kube
