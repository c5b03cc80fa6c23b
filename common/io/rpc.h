// Seam: the control plane between our own programs. Payloads are serialized Protobuf messages of
// proto/; methods are named "Service/Method". In one process (moldau dev): host/local_rpc; between
// processes gRPC; simulated with delay and loss: tests/sim/sim_rpc. All callbacks come on the
// executor that the endpoint was made with.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/io/error.h"

namespace io {

using RpcReply = std::move_only_function<void(IoResult<std::string>)>;

// A subscription: messages arrive in order until it is destroyed or breaks.
class RpcStream {
 public:
  virtual ~RpcStream() = default;
};

struct RpcStreamHandler {
  std::function<void(std::string)> on_message;
  std::function<void(IoError)> on_broken;  // once; nothing follows
};

class RpcClient {
 public:
  virtual ~RpcClient() = default;
  // Answers exactly once: with the reply, or ETIMEDOUT, ECONNREFUSED, ...
  virtual void call(const std::string& method, std::string request, base::Duration timeout,
                    RpcReply reply) = 0;
  virtual std::unique_ptr<RpcStream> subscribe(const std::string& method, std::string request,
                                               RpcStreamHandler handler) = 0;
};

// The serving side of a subscription.
class RpcSink {
 public:
  virtual ~RpcSink() = default;
  virtual void send(std::string message) = 0;
  // Set by the service; called once when the subscriber is gone.
  std::function<void()> on_gone;
};

class RpcServer {
 public:
  using Unary = std::function<void(std::string request, RpcReply reply)>;
  using Streaming = std::function<void(std::string request, std::shared_ptr<RpcSink> sink)>;
  virtual ~RpcServer() = default;
  virtual void serve(const std::string& method, Unary handler) = 0;
  virtual void serve_stream(const std::string& method, Streaming handler) = 0;
};

}  // namespace io
