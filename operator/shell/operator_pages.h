// What the operator shows on its HTTP port: /livez, /readyz and /metrics. Everything is asked of
// the reactor when somebody looks.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/diag.h"
#include "common/host/http_admin.h"
#include "common/host/metrics.h"
#include "common/host/reactor_pool.h"
#include "operator/node/lease.h"
#include "operator/node/loop.h"
#include "operator/shell/kube_http.h"

namespace kube {

class OperatorPages {
 public:
  struct Parts {
    host::ReactorPool& pool;
    const Operator& loop;
    const KubeHttp& api;
    // On the reactor: do we act, do we only wait?
    std::function<bool()> leading;
    std::function<bool()> waiting;
    bool elected;  // a Lease is renewed all the time: silence is a bad sign
  };
  OperatorPages(Parts parts, base::Diag& diag);

  io::IoResult<io::Address> start(const io::Address& address);
  void stop();

 private:
  template <class T>
  T ask(std::function<T()> question, T otherwise) const;
  void add_health();
  void add_work_metrics();
  void add_api_metrics();
  void add_resource_metrics();

  const Parts parts_;
  base::Diag& diag_;
  host::Health health_;
  host::Metrics metrics_;
  std::unique_ptr<host::HttpAdmin> http_;
};

}  // namespace kube
