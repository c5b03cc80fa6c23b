// What a controller process serves over HTTP: /livez, /readyz and /metrics.
#pragma once

#include <memory>

#include "common/base/diag.h"
#include "common/host/http_admin.h"
#include "common/host/metrics.h"
#include "common/host/reactor_pool.h"
#include "controller/controller.h"

namespace controller::shell {

class ControllerPages {
 public:
  // All outlive it. The controller lives on the pool's first reactor.
  ControllerPages(host::ReactorPool& pool, const Controller& controller, base::Diag& diag);
  // The bound address. Port 0 picks one. The pool must run.
  io::IoResult<io::Address> start(const io::Address& address);
  void stop();

 private:
  // Nothing when the reactor does not answer.
  std::optional<Stats> stats() const;
  void add_metrics();

  host::ReactorPool& pool_;
  const Controller& controller_;
  base::Diag& diag_;
  host::Metrics metrics_;
  host::Health health_;
  std::unique_ptr<host::HttpAdmin> http_;
};

}  // namespace controller::shell
