// The process moldau-operator: the operator on the real seams, behind a Lease. Everything but HTTP
// and the API's connections runs on one reactor.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/host/system_clock.h"
#include "common/io/net.h"
#include "operator/shell/access.h"

namespace kube {

struct ProcessOptions {
  Access access;
  std::vector<std::string> namespaces;  // empty: all
  std::string image;                    // of nodes; empty: the default
  io::Address http{"0.0.0.0", 9644};
  bool elect = true;
  std::string lease_namespace;
  std::string identity;  // of this process, in the Lease and in events
  // Where controllers answer, instead of at their Pods, by "namespace/cluster": for an operator
  // that is outside of the Kubernetes cluster.
  std::map<std::string, std::vector<io::Address>> controllers;
  std::string user_agent;
};

// Runs until SIGTERM or SIGINT (0), or until the Lease is lost (1).
int run_operator(ProcessOptions options, base::Diag& diag, host::SystemClock& clock);

}  // namespace kube
