// What a broker process serves over HTTP: /livez, /readyz and /metrics.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "broker/broker.h"
#include "common/control/quorum_client.h"
#include "common/host/http_admin.h"
#include "common/host/metrics.h"
#include "common/host/reactor_pool.h"

namespace broker::shell {

class AdminPages {
 public:
  // Both outlive it.
  AdminPages(host::ReactorPool& pool, base::Diag& diag);
  // The bound address. Port 0 picks one. The pool must run for /livez to be answered well.
  io::IoResult<io::Address> start(const io::Address& address);
  // The broker has started, and outlives this: from now on its parts are shown, and the controllers
  // that it would ask.
  void show(Broker& broker, const control::QuorumClient& controllers, bool kafka_names);
  void stop();

 private:
  void add_ready(std::string name, std::function<std::string(Broker&)> check);

  host::ReactorPool& pool_;
  base::Diag& diag_;
  std::atomic<Broker*> broker_{nullptr};  // null: not started yet
  host::Metrics metrics_;
  host::Health health_;
  std::unique_ptr<host::HttpAdmin> http_;
};

}  // namespace broker::shell
