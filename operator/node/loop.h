// The operator: follows the API server, and brings each Cluster and Topic nearer to what is wanted,
// one plan at a time. Assembled from seams; main and the tests start the same object. One executor.
//
//   informers -> keys -> queue -> observe -> plan -> act -> (changed something) the key again
//
// It remembers nothing that matters: whoever starts it anew goes on where it was.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/base/histogram.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/clock.h"
#include "common/io/executor.h"
#include "operator/node/act.h"
#include "operator/node/caches.h"
#include "operator/node/informer.h"
#include "operator/node/observe.h"
#include "operator/node/queue.h"

namespace kube {

// Counts of one sort of keys. Written by the operator's executor, read by any thread.
struct SortStats {
  base::Counter reconciles;
  base::Counter failures;
  base::Counter steady;     // nothing had to be done
  base::Histogram seconds;  // of one reconcile, in nanoseconds
};

class Operator {
 public:
  struct Seams {
    io::Executor& executor;
    Api& api;
    io::Clock& clock;
    base::Diag& diag;
    base::Random random;
    ConnectControl connect;
    std::function<bool()> may_write;  // asked before every write: do we lead?
  };
  struct Config {
    std::vector<std::string> namespaces;  // empty: all
    OperatorSettings settings;
    std::string instance = "moldau-operator";
    std::size_t clusters_at_once = 4;
    std::size_t topics_at_once = 64;
    // Everything is looked at again that often, though nothing was heard of it.
    base::Duration resync = std::chrono::minutes(5);
  };
  Operator(Seams seams, Config config);
  // Only when nothing is under way: stop() told so, or the executor will never run again.
  ~Operator();
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  void start();
  // Begins nothing more; `done` comes when what is under way has ended.
  void stop(std::function<void()> done);

  // Every kind was listed once.
  bool synced() const;
  // Why the API server cannot be followed at present; empty: it can.
  std::string trouble() const;
  const Queue& queue() const { return queue_; }
  const Caches& caches() const { return caches_; }
  const ActStats& acted() const { return actor_.stats(); }
  const SortStats& stats(Key::Sort sort) const { return stats_[static_cast<std::size_t>(sort)]; }

 private:
  void follow(const Kind& kind, const std::string& ns, const std::string& selector);
  void changed(const Kind& kind, const Json& object, bool gone);
  void cluster_changed(const Json& object, bool gone);
  void topics_of(const std::string& ns, const std::string& cluster);
  void enqueue(Key::Sort sort, const std::string& ns, const std::string& name);
  void pump();
  io::Task<void> reconcile(Key key);
  io::Task<void> reconcile_cluster(Key key, JsonPtr resource);
  io::Task<void> reconcile_topic(Key key, JsonPtr resource);
  void settle(const Key& key, const Plan& plan, const Outcome& outcome);
  std::vector<Failure> failures_of(const Key& key) const;

  const Seams seams_;
  const Config config_;
  base::Random random_;
  Caches caches_;
  Queue queue_;
  Observer observer_;
  Actor actor_;
  std::vector<std::unique_ptr<Informer>> informers_;
  base::Timer wake_;
  std::size_t running_[2] = {0, 0};
  SortStats stats_[2];
  bool stopping_ = false;
  std::function<void()> stopped_;
  // Of the last plan of a key: what failed, and a digest of what it asked for.
  std::map<Key, Failure> failures_;
  std::map<Key, std::size_t> last_plans_;
  std::map<std::string, bool> reachable_;  // by cluster_index: a controller answered
  std::map<std::string, bool> present_;    // by cluster_index: seen, and not being deleted
};

}  // namespace kube
