// The controllers as one io::RpcClient: finds the member that leads, and asks the next one when it
// does not. One executor. Real members are host/grpc_rpc clients, simulated ones sim_rpc's.
//
// A call is repeated, within its own timeout, only when it certainly was not executed: the member
// answered NOT_CONTROLLER (the `error` that every reply begins with: proto ReplyHead), or could not
// be connected to (ECONNREFUSED). Any other failure is the caller's to judge. When the time is up
// before a leader was found, the answer is ETIMEDOUT and says whom it asked and what they said.
//
// While nobody is known to lead, all calls look for the leader together: each member is asked once
// every 20 to 80 ms, one that refuses connections ever more seldom, down to twice a second, until
// another names it as leader. Whoever waits goes on as soon as one of them has found the leader.
//
// A subscription goes to the member believed to lead, or to the next in turn when none is known,
// and breaks when that member ends it or is found not to lead: subscribe again. The members must be
// able to refuse it by ending it.
//
// Voters come and go while brokers run. One that was given addresses asks the leader for its voters
// now and then (Quorum/Members), so that it finds those that were added, and asks those no more
// that were removed. Where both it and the log know no other, a voter stays where it was
// configured.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/io/executor.h"
#include "common/io/net.h"
#include "common/io/rpc.h"

namespace control {

class QuorumClient final : public io::RpcClient {
 public:
  using Members = std::map<std::int32_t, std::unique_ptr<io::RpcClient>>;  // by controller id

  using Addresses = std::map<std::int32_t, io::Address>;  // by controller id
  using Connect =
      std::function<std::unique_ptr<io::RpcClient>(std::int32_t id, const io::Address&)>;

  // `members` is not empty; their callbacks come on `executor`. They stay who they are.
  QuorumClient(io::Executor& executor, base::Random random, Members members);
  // Follows changes of the voters; `configured` is not empty.
  QuorumClient(io::Executor& executor, base::Random random, Addresses configured, Connect connect);
  // Open calls are not answered; streams break no more.
  ~QuorumClient() override;

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override;
  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler) override;

  // -1: not known at present.
  std::int32_t believed_leader() const;
  // How many controllers it would ask. Any thread.
  std::size_t known() const;

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace control
