// io::Rpc inside one process: what `moldau dev` uses between its controller and its broker. Calls,
// replies and stream messages are posted between the two executors as the same serialized strings
// that gRPC would carry, in order. Bounded: a client with too many open calls is answered EAGAIN, a
// subscriber that does not keep up is broken off with EOVERFLOW and must subscribe again.
//
// The executors outlive the LocalRpc and its clients. Calls that are open when their client is
// destroyed are not answered.
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
  // Services run on `server`. Make and destroy it there, or while that does not run.
  explicit LocalRpc(io::Executor& server, LocalRpcLimits limits = {});
  ~LocalRpc();  // breaks every stream; later calls answer ECONNREFUSED

  // Register everything before the first call. A method that is not served answers ENOSYS. A sink
  // that its service drops ends the stream with ECONNRESET.
  io::RpcServer& server();
  // A client whose callbacks come on `executor` (may be the server's own). Use and destroy it
  // there.
  std::unique_ptr<io::RpcClient> client(io::Executor& executor);

  class Hub;

 private:
  std::shared_ptr<Hub> hub_;
};

}  // namespace host
