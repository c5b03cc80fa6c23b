// An operator who asks the quorum to drain brokers and to balance, as the command line does.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/control/quorum_client.h"
#include "tests/sim/cluster/cluster.h"

namespace sim {

class OperatorClient {
 public:
  explicit OperatorClient(Cluster& cluster);
  ~OperatorClient();

  // True once the question was answered without an error. Given up after kPatience.
  using Confirmed = std::shared_ptr<const bool>;
  static constexpr base::Duration kPatience = std::chrono::seconds(1);

  // Starts or pauses it.
  Confirmed balance(bool on);
  Confirmed drain(std::int32_t broker);
  Confirmed resume(std::int32_t broker);

 private:
  template <class Reply, class Request>
  Confirmed ask(const char* method, const Request& request);

  World& world_;
  SimExecutor executor_;
  std::unique_ptr<control::QuorumClient> quorum_;
};

}  // namespace sim
