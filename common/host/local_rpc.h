// io::Rpc inside one process: what `moldau dev` uses between its controller and its broker. Calls,
// replies and stream messages are posted between the two executors as the same serialized strings
// that gRPC would carry, in order. Bounded: a client with too many open calls is answered EAGAIN, a
// subscriber that does not keep up is broken off with EOVERFLOW and must subscribe again.
#pragma once

#include <memory>

#include "common/io/executor.h"
#include "common/io/rpc.h"

namespace host {

struct LocalRpcLimits {
  std::size_t calls_open_max = 4096;         // per client
  std::size_t stream_messages_max = 16'384;  // sent and not yet handed over, per stream
  std::size_t stream_bytes_max = 64 << 20;
};

class LocalRpc {
 public:
  using Limits = LocalRpcLimits;
  // Services run on `server`, which outlives this object.
  explicit LocalRpc(io::Executor& server, Limits limits = {});
  ~LocalRpc();

  // Register everything before the first call. A method that is not served answers ENOSYS.
  io::RpcServer& server();
  // A client whose callbacks come on `executor` (may be the server's own). Use and destroy it
  // there. It may outlive the LocalRpc: calls then answer ECONNREFUSED.
  std::unique_ptr<io::RpcClient> client(io::Executor& executor);

  struct Hub;

 private:
  std::shared_ptr<Hub> hub_;
};

}  // namespace host
