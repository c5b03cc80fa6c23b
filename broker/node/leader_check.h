// Whether leaders are still there: asks each for its API versions. A process that was killed may
// close our connection some milliseconds after that of a client, who by then asks us who leads.
//
// One check for each leader and reactor is under way at a time; who wants another joins it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "broker/node/node.h"

namespace broker {

class LeaderCheck {
 public:
  // Before the first check; node.peers is there by then.
  explicit LeaderCheck(Node& node);
  ~LeaderCheck();
  LeaderCheck(const LeaderCheck&) = delete;
  LeaderCheck& operator=(const LeaderCheck&) = delete;

  // On `reactor`: runs `then` there once each of the leaders has answered or was lost, which
  // node.losses knows by then, or when patience is at its end. Never from within.
  void run(Reactor& reactor, const std::set<base::BrokerId>& leaders, io::Executor::Work then);

 private:
  struct Round;
  using Waiting = std::map<base::BrokerId, std::vector<std::shared_ptr<Round>>>;
  void ask(Reactor& reactor, base::BrokerId leader);

  Node& node_;
  std::vector<Waiting> by_reactor_;  // each touched by its reactor only
};

}  // namespace broker
