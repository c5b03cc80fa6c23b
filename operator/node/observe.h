// Takes together what a plan is made from: objects from the caches, answers from the controllers.
// One executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/io/executor.h"
#include "operator/node/caches.h"
#include "operator/node/control.h"
#include "operator/plan/cluster.h"
#include "operator/plan/observed.h"

namespace kube {

// A client of the controllers of that cluster, who answer there. Null: none can be made.
using ConnectControl =
    std::function<std::shared_ptr<io::RpcClient>(const std::string& ns, const std::string& cluster,
                                                 const std::vector<ControllerAddress>& addresses)>;

class Observer {
 public:
  Observer(io::Executor& executor, Api& api, Caches& caches, ConnectControl connect,
           OperatorSettings settings);

  struct ClusterView {
    ClusterHave have;
    std::shared_ptr<Control> control;  // null: nobody to ask
  };
  // `resource` is in the caches.
  io::Task<ClusterView> cluster(JsonPtr resource);

  struct TopicView {
    TopicHave have;
    std::shared_ptr<Control> control;
  };
  io::Task<TopicView> topic(JsonPtr resource);

  // A Pod of that cluster changed: its controllers may answer elsewhere.
  void pods_changed(const std::string& ns, const std::string& cluster);
  void forget(const std::string& ns, const std::string& cluster);

 private:
  struct Known {
    bool stale = true;  // the addresses are to be looked at again
    std::vector<ControllerAddress> addresses;
    std::shared_ptr<Control> control;
    std::string uid;         // of the resource that `cluster_id` was seen for
    std::string cluster_id;  // empty: not seen yet
  };
  Known& known(const std::string& ns, const std::string& cluster);
  io::Task<std::map<std::string, std::string>> racks(std::string topology_key);

  io::Executor& executor_;
  Api& api_;
  Caches& caches_;
  const ConnectControl connect_;
  const OperatorSettings settings_;
  std::map<std::string, Known> known_;  // by cluster_index
  struct Racks {
    base::Instant at{};
    std::map<std::string, std::string> by_node;
  };
  std::map<std::string, Racks> racks_;  // by topology key
};

}  // namespace kube
