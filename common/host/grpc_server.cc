#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <deque>
#include <map>

#include "common/base/check.h"
#include "common/host/grpc_common.h"

namespace host {
namespace {

using grpc_detail::Gate;
using GatePtr = std::shared_ptr<Gate>;

// One call or subscription on the serving side. gRPC's threads call the On... functions, the
// executor's the others; the mutex is between them. Lives until gRPC is done with it and nobody
// holds it.
class Exchange final : public grpc::ServerGenericBidiReactor,
                       public std::enable_shared_from_this<Exchange> {
 public:
  using Dispatch = std::function<void(const std::string& method, std::string request,
                                      const std::shared_ptr<Exchange>& exchange)>;

  Exchange(std::string method, GatePtr gate, Dispatch dispatch, const GrpcLimits& limits)
      : method_(std::move(method)),
        gate_(std::move(gate)),
        dispatch_(std::move(dispatch)),
        limits_(limits) {}

  // Called once, by whoever made it.
  void begin() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return finish({grpc::StatusCode::INVALID_ARGUMENT, "no request"});
    auto bytes = grpc_detail::to_string(request_);
    request_.Clear();
    if (!bytes) return finish({grpc::StatusCode::INVALID_ARGUMENT, "unreadable request"});
    const bool posted =
        gate_->post([self = shared_from_this(), bytes = std::move(*bytes)]() mutable {
          self->dispatch_(self->method_, std::move(bytes), self);
        });
    if (!posted) finish({grpc::StatusCode::UNAVAILABLE, "the server is ending"});
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (finished_) return;
    if (!ok) return finish_locked({grpc::StatusCode::CANCELLED, "not written"});
    queue_bytes_ -= queue_.front().Length();
    queue_.pop_front();
    write_next();
  }
  void OnCancel() override { finish({grpc::StatusCode::CANCELLED, "the peer is gone"}); }
  void OnDone() override {
    gate_->post([self = shared_from_this()] { self->tell_gone(); });
    self_.reset();
  }

  // Executor. A call's reply: the only message and the end.
  void reply(const io::IoResult<std::string>& result) {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (!result) return finish_locked(grpc_detail::to_status(result.error()));
    if (result->size() > limits_.message_bytes_max) {
      return finish_locked(
          grpc_detail::to_status({EMSGSIZE, "rpc: the reply of " + method_ + " is too large"}));
    }
    finished_ = true;
    reply_ = grpc_detail::to_buffer(*result);
    StartWriteAndFinish(&reply_, {}, grpc::Status::OK);
  }

  // Executor. False when the stream is over, or is by this message.
  bool send(const std::string& message) {
    const std::lock_guard lock(mutex_);
    if (finished_ || ending_) return false;
    if (message.size() > limits_.message_bytes_max) {
      finish_locked(grpc_detail::to_status({EMSGSIZE, "stream: the message is too large"}));
      return false;
    }
    if (queue_.size() >= limits_.stream_messages_max ||
        (!queue_.empty() && queue_bytes_ + message.size() > limits_.stream_bytes_max)) {
      finish_locked(grpc_detail::to_status({EOVERFLOW, "stream: the subscriber does not keep up"}));
      return false;
    }
    queue_.push_back(grpc_detail::to_buffer(message));
    queue_bytes_ += message.size();
    if (!writing_) write_next();
    return true;
  }
  // Any thread. Ends the stream behind what was sent.
  void end() {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    ending_ = true;
    if (!writing_) write_next();
  }

  std::weak_ptr<io::RpcSink> sink;  // executor

 private:
  void tell_gone() {
    const auto held = sink.lock();
    if (held != nullptr && held->on_gone) std::exchange(held->on_gone, nullptr)();
  }
  void write_next() {
    if (!queue_.empty()) {
      writing_ = true;
      StartWrite(&queue_.front());
    } else if (ending_) {
      finish_locked(grpc_detail::to_status({ECONNRESET, "stream: ended by the service"}));
    }
  }
  void finish(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    finish_locked(status);
  }
  void finish_locked(const grpc::Status& status) {
    if (std::exchange(finished_, true)) return;
    Finish(status);
  }

  const std::string method_;
  const GatePtr gate_;
  const Dispatch dispatch_;
  const GrpcLimits limits_;
  std::shared_ptr<Exchange> self_;  // until OnDone
  grpc::ByteBuffer request_;
  std::mutex mutex_;  // guards what follows
  bool finished_ = false;
  bool ending_ = false;
  bool writing_ = false;
  grpc::ByteBuffer reply_;
  std::deque<grpc::ByteBuffer> queue_;  // the front one is being written
  std::size_t queue_bytes_ = 0;
};

class Sink final : public io::RpcSink {
 public:
  explicit Sink(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~Sink() override { exchange_->end(); }
  void send(std::string message) override {
    // One that does not keep up is gone for the service at once.
    if (!exchange_->send(message) && on_gone) std::exchange(on_gone, nullptr)();
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

}  // namespace

class GrpcServer::Hub final : public io::RpcServer,
                              public grpc::CallbackGenericService,
                              public std::enable_shared_from_this<Hub> {
 public:
  Hub(io::Executor& executor, GrpcLimits given)
      : limits(given), gate_(std::make_shared<Gate>(executor)) {}

  void serve(const std::string& method, Unary handler) override {
    CHECK(unary_.emplace(method, std::move(handler)).second);
  }
  void serve_stream(const std::string& method, Streaming handler) override {
    CHECK(streaming_.emplace(method, std::move(handler)).second);
  }

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    std::string method = context->method();
    if (method.starts_with(grpc_detail::kPrefix)) method.erase(0, grpc_detail::kPrefix.size());
    auto exchange = std::make_shared<Exchange>(
        std::move(method), gate_,
        [weak = weak_from_this()](const std::string& name, std::string request,
                                  const std::shared_ptr<Exchange>& self) {
          if (const auto hub = weak.lock()) {
            hub->dispatch(name, std::move(request), self);
          } else {
            self->reply(io::io_failure(ECONNRESET, "the server has ended"));
          }
        },
        limits);
    exchange->begin();
    return exchange.get();
  }

  io::IoResult<io::Address> listen(const io::Address& address) {
    CHECK(server_ == nullptr);
    grpc_detail::silence_grpc_log();
    const auto ms = [](base::Duration duration) {
      return static_cast<int>(
          std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    };
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address.to_string(), grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(this);
    builder.SetMaxReceiveMessageSize(static_cast<int>(limits.message_bytes_max));
    builder.SetMaxSendMessageSize(static_cast<int>(limits.message_bytes_max));
    // Two processes on one port would each get some of the calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, ms(limits.keepalive_every));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(limits.keepalive_timeout));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
    grpc_detail::LogCapture log;
    auto server = builder.BuildAndStart();
    if (server == nullptr || port == 0) {
      if (server != nullptr) server->Shutdown();
      const bool taken = log.text().find("already in use") != std::string::npos;
      return io::io_failure(taken ? EADDRINUSE : EADDRNOTAVAIL,
                            "cannot listen on " + address.to_string() + ": " +
                                (taken ? "the address is already in use" : log.text()));
    }
    server_ = std::move(server);
    return io::Address{address.host, static_cast<std::uint16_t>(port)};
  }

  void stop() {
    gate_->close();
    if (server_ == nullptr) return;
    // A deadline that has passed: every call is cancelled now, and ends itself in OnCancel.
    server_->Shutdown(std::chrono::system_clock::time_point{});
    server_->Wait();
    server_ = nullptr;
  }

  const GrpcLimits limits;

 private:
  void dispatch(const std::string& method, std::string request,
                const std::shared_ptr<Exchange>& exchange) {
    if (const auto at = unary_.find(method); at != unary_.end()) {
      return at->second(std::move(request),
                        [exchange](io::IoResult<std::string> result) { exchange->reply(result); });
    }
    if (const auto at = streaming_.find(method); at != streaming_.end()) {
      auto sink = std::make_shared<Sink>(exchange);
      exchange->sink = sink;
      return at->second(std::move(request), std::move(sink));
    }
    exchange->reply(io::io_failure(ENOSYS, "rpc: nobody serves " + method));
  }

  const GatePtr gate_;
  std::unique_ptr<grpc::Server> server_;
  std::map<std::string, Unary> unary_;
  std::map<std::string, Streaming> streaming_;
};

GrpcServer::GrpcServer(io::Executor& executor, GrpcLimits limits)
    : hub_(std::make_shared<Hub>(executor, limits)) {}
GrpcServer::~GrpcServer() { stop(); }
io::RpcServer& GrpcServer::server() { return *hub_; }
io::IoResult<io::Address> GrpcServer::listen(const io::Address& address) {
  return hub_->listen(address);
}
void GrpcServer::stop() { hub_->stop(); }

}  // namespace host
