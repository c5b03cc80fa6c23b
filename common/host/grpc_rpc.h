// io::Rpc between processes: gRPC's generic callback API, so that payloads pass as the bytes they
// are. Method "Service/Method" is "/moldau.Service/Method" on the wire; a call is unary, a
// subscription one request and a stream of messages. Why: docs/decisions/0009-grpc.md.
//
// Handlers, replies and stream callbacks come on the executor that the endpoint was given; gRPC's
// threads only post to it. What breaks is known at once when the peer's process ends, and within
// keepalive_every + keepalive_timeout when the peer is cut off or frozen.
//
// Errors: ECONNREFUSED the call certainly never left this process; ECONNRESET the connection
// broke under it; ETIMEDOUT; ENOSYS nobody serves the method; EMSGSIZE over message_bytes_max;
// EAGAIN too many open calls; EOVERFLOW a subscriber that did not keep up. What a handler answered
// as IoError arrives with its code and text.
#pragma once

#include <chrono>
#include <memory>

#include "common/io/error.h"
#include "common/io/executor.h"
#include "common/io/net.h"
#include "common/io/rpc.h"

namespace host {

struct GrpcLimits {
  std::size_t message_bytes_max = 64 << 20;
  std::size_t calls_open_max = 4096;        // per client
  std::size_t stream_bytes_max = 64 << 20;  // sent and not yet on the wire, per subscriber
  std::size_t stream_messages_max = 16'384;
  base::Duration keepalive_every = std::chrono::seconds(10);
  base::Duration keepalive_timeout = std::chrono::seconds(5);
  base::Duration reconnect_min = std::chrono::milliseconds(50);
  base::Duration reconnect_max = std::chrono::seconds(1);
};

class GrpcServer {
 public:
  // Handlers run on `executor`, which outlives this object.
  explicit GrpcServer(io::Executor& executor, GrpcLimits limits = {});
  ~GrpcServer();  // stop()
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Register before listen(), or on the executor. A method that is not served answers ENOSYS. A
  // sink that its service drops ends the stream with ECONNRESET, behind what was sent.
  io::RpcServer& server();
  // Takes calls from now on. Port 0 picks one; the bound address is returned. Any thread.
  io::IoResult<io::Address> listen(const io::Address& address);
  // Breaks every call and stream and waits until gRPC has let go of them. Any thread; no handler is
  // begun afterwards. Replies and sinks that a service still holds do nothing.
  void stop();

  class Hub;

 private:
  std::shared_ptr<Hub> hub_;
};

// A client of the server at `address` (a name is resolved again at every connection). It connects
// when first used and reconnects by itself; while there is no connection calls fail at once. Use
// and destroy it, and the streams it made, on `executor`, which outlives them. Calls that are open
// when it is destroyed are not answered.
std::unique_ptr<io::RpcClient> grpc_client(io::Executor& executor, const io::Address& address,
                                           GrpcLimits limits = {});

}  // namespace host
