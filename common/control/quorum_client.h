// The controllers as one io::RpcClient: finds the member that leads, and asks the next one when it
// does not. One executor. Real members are host/grpc_rpc clients, simulated ones sim_rpc's.
//
// A call is repeated, within its own timeout, only when it certainly was not executed: the member
// answered NOT_CONTROLLER (the `error` that every reply begins with: proto ReplyHead), or could not
// be connected to (ECONNREFUSED). Any other failure is the caller's to judge. When the time is up
// before a leader was found, the answer is ETIMEDOUT and says whom it asked and what they said.
//
// A subscription goes to the member believed to lead, or to the next in turn when none is known,
// and breaks when that member ends it or is found not to lead: subscribe again. The members must be
// able to refuse it by ending it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"

namespace control {

class QuorumClient final : public io::RpcClient {
 public:
  using Members = std::map<std::int32_t, std::unique_ptr<io::RpcClient>>;  // by controller id

  // `members` is not empty; their callbacks come on `executor`.
  QuorumClient(io::Executor& executor, base::Random random, Members members);
  // Open calls are not answered; streams break no more.
  ~QuorumClient() override;

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override;
  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler) override;

  // -1: not known at present.
  std::int32_t believed_leader() const;

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace control
