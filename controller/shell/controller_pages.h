// What a controller process serves over HTTP: /livez, /readyz and /metrics.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "common/base/diag.h"
#include "common/host/http_admin.h"
#include "common/host/metrics.h"
#include "common/host/reactor_pool.h"
#include "controller/controller.h"

namespace controller::shell {

class ControllerPages {
 public:
  // All outlive it. The controller lives on the pool's first reactor.
  ControllerPages(host::ReactorPool& pool, const Controller& controller, base::Diag& diag,
                  bool kafka_names);
  // The bound address. Port 0 picks one. The pool must run.
  io::IoResult<io::Address> start(const io::Address& address);
  void stop();

 private:
  // Nothing when the reactor does not answer.
  std::optional<Stats> stats() const;
  // Nothing when another controller leads. On the scraping thread, under the registry's lock.
  std::optional<ClusterCounts> cluster_counts();
  void add_metrics();
  void add_cluster();
  void add_kafka_names();

  host::ReactorPool& pool_;
  const Controller& controller_;
  base::Diag& diag_;
  const bool kafka_names_;  // moldau.metrics.kafka.names
  host::Metrics metrics_;
  host::Health health_;
  std::optional<std::optional<ClusterCounts>> counts_;  // the last that were asked for
  std::chrono::steady_clock::time_point counted_at_;
  std::unique_ptr<host::HttpAdmin> http_;
};

}  // namespace controller::shell
