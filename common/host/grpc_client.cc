#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <map>

#include "common/host/grpc_common.h"

namespace host {
namespace {

using grpc_detail::Gate;
using GatePtr = std::shared_ptr<Gate>;

std::shared_ptr<grpc::Channel> open_channel(const io::Address& address, const GrpcLimits& limits) {
  const auto ms = [](base::Duration duration) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(static_cast<int>(limits.message_bytes_max));
  args.SetMaxSendMessageSize(static_cast<int>(limits.message_bytes_max));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ms(limits.keepalive_every));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(limits.keepalive_timeout));
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, ms(limits.reconnect_min));
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, ms(limits.reconnect_max));
  // How long one attempt to connect may take.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ms(limits.reconnect_max));
  // A connection of its own: what one client sends does not stand in another's way.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The environment's proxy is for the web.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // A name may have moved when a connection breaks.
  args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, ms(limits.reconnect_max));
  return grpc::CreateCustomChannel("dns:///" + address.to_string(),
                                   grpc::InsecureChannelCredentials(), args);
}

// gRPC names the connection that carried a call; one that never left has only its target's name.
bool has_left(const grpc::ClientContext& context) {
  const std::string peer = context.peer();
  return peer.starts_with("ipv4:") || peer.starts_with("ipv6:") || peer.starts_with("unix:");
}

std::string path_of(const std::string& method) {
  return std::string(grpc_detail::kPrefix) + method;
}

// One unary call; owned by gRPC's callback and, weakly, by the client that may cancel it.
struct Call {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer reply;
};

// The open calls of a client. Executor.
struct Calls {
  struct Open {
    io::RpcReply reply;
    std::shared_ptr<Call> call;
  };
  std::map<std::uint64_t, Open> open;
  std::uint64_t last = 0;
};

// A subscription. gRPC's threads call the On... functions; the executor's thread reads on, so that
// no more than one message waits for it: a slow subscriber is felt by the server.
class Subscription final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public std::enable_shared_from_this<Subscription> {
 public:
  Subscription(io::Executor& executor, io::RpcStreamHandler handler, std::string what)
      : gate_(executor), handler_(std::move(handler)), what_(std::move(what)) {}

  void begin(grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer>& stub,
             const std::string& method, const std::string& request) {
    self_ = shared_from_this();
    request_ = grpc_detail::to_buffer(request);
    stub.PrepareBidiStreamingCall(&context_, path_of(method), {}, this);
    AddHold();  // reads are started from outside gRPC's callbacks
    StartWriteLast(&request_, {});
    StartRead(&message_);
    StartCall();
  }
  // Executor. Nothing follows.
  void close() {
    open_ = false;
    gate_.close();
    context_.TryCancel();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return let_go();
    auto bytes = grpc_detail::to_string(message_);
    message_.Clear();
    if (!bytes) {
      context_.TryCancel();
      return let_go();
    }
    gate_.post(
        [turn = std::make_unique<Turn>(shared_from_this()), bytes = std::move(*bytes)]() mutable {
          Subscription& self = *turn->subscription;
          if (!self.open_) return;
          self.handler_.on_message(std::move(bytes));
          if (self.open_) turn->read_on();
        });
  }
  void OnDone(const grpc::Status& status) override {
    auto error = grpc_detail::to_error(
        status.ok() ? grpc::Status(grpc::StatusCode::ABORTED, "ended") : status, has_left(context_),
        what_);
    gate_.post([self = shared_from_this(), error = std::move(error)] {
      if (std::exchange(self->open_, false)) self->handler_.on_broken(error);
    });
    self_.reset();
  }

 private:
  // A message on its way to the executor. Wherever it ends, either the next read begins or gRPC is
  // told that none will.
  struct Turn {
    explicit Turn(std::shared_ptr<Subscription> given) : subscription(std::move(given)) {}
    ~Turn() {
      if (!done) subscription->let_go();
    }
    void read_on() {
      done = true;
      subscription->StartRead(&subscription->message_);
    }
    std::shared_ptr<Subscription> subscription;
    bool done = false;
  };
  void let_go() {
    if (!released_.exchange(true)) RemoveHold();
  }

  Gate gate_;
  const io::RpcStreamHandler handler_;
  const std::string what_;
  std::shared_ptr<Subscription> self_;  // until OnDone
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer message_;
  std::atomic<bool> released_ = false;
  bool open_ = true;  // executor
};

class Stream final : public io::RpcStream {
 public:
  explicit Stream(std::shared_ptr<Subscription> subscription)
      : subscription_(std::move(subscription)) {}
  ~Stream() override { subscription_->close(); }

 private:
  const std::shared_ptr<Subscription> subscription_;
};

class Client final : public io::RpcClient {
 public:
  Client(io::Executor& executor, const io::Address& address, const GrpcLimits& limits)
      : executor_(executor),
        address_(address),
        limits_(limits),
        gate_(std::make_shared<Gate>(executor)),
        calls_(std::make_shared<Calls>()),
        stub_(open_channel(address, limits)) {}
  ~Client() override {
    gate_->close();
    for (auto& [id, open] : calls_->open) open.call->context.TryCancel();
  }

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override {
    if (calls_->open.size() >= limits_.calls_open_max) {
      return refuse(std::move(reply), EAGAIN, "rpc: too many open calls");
    }
    if (request.size() > limits_.message_bytes_max) {
      return refuse(std::move(reply), EMSGSIZE, "rpc: the request of " + method + " is too large");
    }
    auto call = std::make_shared<Call>();
    call->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::duration_cast<std::chrono::microseconds>(timeout));
    call->request = grpc_detail::to_buffer(request);
    const std::uint64_t id = ++calls_->last;
    calls_->open.emplace(id, Calls::Open{std::move(reply), call});
    Call& raw = *call;
    stub_.UnaryCall(&raw.context, path_of(method), {}, &raw.request, &raw.reply,
                    [gate = gate_, calls = std::weak_ptr(calls_), call, id,
                     what = address_.to_string() + " " + method](const grpc::Status& status) {
                      auto result = result_of(*call, status, what);
                      gate->post([calls, id, result = std::move(result)]() mutable {
                        const auto held = calls.lock();
                        if (!held) return;
                        auto open = held->open.extract(id);
                        if (!open.empty()) open.mapped().reply(std::move(result));
                      });
                    });
  }

  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler) override {
    auto subscription = std::make_shared<Subscription>(executor_, std::move(handler),
                                                       address_.to_string() + " " + method);
    subscription->begin(stub_, method, request);
    return std::make_unique<Stream>(std::move(subscription));
  }

 private:
  static io::IoResult<std::string> result_of(const Call& call, const grpc::Status& status,
                                             const std::string& what) {
    if (!status.ok()) {
      return std::unexpected(grpc_detail::to_error(status, has_left(call.context), what));
    }
    auto bytes = grpc_detail::to_string(call.reply);
    if (!bytes) return io::io_failure(EBADMSG, what + ": unreadable reply");
    return std::move(*bytes);
  }
  void refuse(io::RpcReply reply, int code, std::string what) {
    executor_.post([reply = std::move(reply), code, what = std::move(what)]() mutable {
      reply(io::io_failure(code, std::move(what)));
    });
  }

  io::Executor& executor_;
  const io::Address address_;
  const GrpcLimits limits_;
  const GatePtr gate_;
  const std::shared_ptr<Calls> calls_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub_;
};

}  // namespace

std::unique_ptr<io::RpcClient> grpc_client(io::Executor& executor, const io::Address& address,
                                           GrpcLimits limits) {
  grpc_detail::silence_grpc_log();
  return std::make_unique<Client>(executor, address, limits);
}

}  // namespace host
