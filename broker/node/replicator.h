// Keeps every partition that this broker follows being copied from whoever leads it: follows the
// metadata and shares the partitions out to fetch loops, num.replica.fetchers for each leader, each
// on one reactor. Lives on the home executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/node/fetch_loop.h"
#include "broker/node/node.h"
#include "common/base/random.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class Replicator {
 public:
  struct Options {
    std::string listener;      // of the brokers among themselves: inter.broker.listener.name
    std::size_t fetchers = 1;  // loops for each leader
    FetchLoop::Options fetch;  // `leader` is filled in
  };
  // `node` outlives it.
  Replicator(Node& node, base::Random random, Options options);
  ~Replicator();
  Replicator(const Replicator&) = delete;
  Replicator& operator=(const Replicator&) = delete;

  // Home, in order: what changed, after the partitions have taken their roles.
  void on_change(const meta::Image& after, const meta::Delta& delta);
  // Home. Nothing is copied any more once `done` comes, on home.
  void stop(std::move_only_function<void()> done);

  // The executors were killed (simulated kill -9): allows destruction as it stands.
  void abandon();

  // Partitions that are being copied. Home.
  std::size_t size() const { return where_.size(); }

 private:
  using LoopId = std::pair<base::BrokerId, std::size_t>;
  struct Loop {
    std::shared_ptr<FetchLoop> loop;
    io::Executor* executor = nullptr;
    std::size_t partitions = 0;
    base::BrokerEpoch leader_epoch{-1};  // of the leader's registration, as told to the loop
    std::optional<io::Address> address;  // as told to the loop
  };
  // What one change means for one loop.
  struct Orders {
    std::vector<FetchLoop::Assignment> assign;
    std::vector<FollowKey> remove;
  };
  void look_at(const meta::TopicDelta& topic, base::Uuid id, std::map<LoopId, Orders>& orders);
  void leave(const FollowKey& key, std::map<LoopId, Orders>& orders);
  Loop& loop(const LoopId& id);
  void tell_leader(const LoopId& id, Loop& loop, const meta::Image& image);
  LoopId loop_of(base::BrokerId leader, const FollowKey& key) const;

  Node& node_;
  base::Random random_;
  const Options options_;
  std::map<LoopId, Loop> loops_;
  std::map<FollowKey, LoopId> where_;
  bool stopped_ = false;
};

}  // namespace broker
