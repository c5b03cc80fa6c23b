#include "common/host/local_rpc.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "common/base/check.h"
#include "common/base/timer_wheel.h"

namespace host {
namespace {

// One subscription, shared by both ends. Each field belongs to the thread it names.
struct Link {
  Link(io::Executor& executor, io::RpcStreamHandler given)
      : client(executor), handler(std::move(given)) {}

  io::Executor& client;
  const io::RpcStreamHandler handler;    // called on the client's thread
  bool open = true;                      // client's thread
  std::weak_ptr<io::RpcSink> sink;       // server's thread
  bool gone = false;                     // server's thread
  std::atomic<std::size_t> messages{0};  // sent, not yet handed over
  std::atomic<std::size_t> bytes{0};
};
using LinkPtr = std::shared_ptr<Link>;

// Server's thread. Tells the subscriber, once, that nothing follows.
void break_off(const LinkPtr& link, int code, std::string what) {
  if (std::exchange(link->gone, true)) return;
  link->client.post([link, error = io::IoError{code, std::move(what)}] {
    if (std::exchange(link->open, false)) link->handler.on_broken(error);
  });
}

class Sink final : public io::RpcSink {
 public:
  Sink(LinkPtr link, const LocalRpcLimits& limits) : link_(std::move(link)), limits_(limits) {}
  ~Sink() override { break_off(link_, ECONNRESET, "stream: ended by the service"); }

  void send(std::string message) override {
    if (link_->gone) return;
    const std::size_t size = message.size();
    if (link_->messages.fetch_add(1) + 1 > limits_.stream_messages_max ||
        link_->bytes.fetch_add(size) + size > limits_.stream_bytes_max) {
      break_off(link_, EOVERFLOW, "stream: the subscriber does not keep up");
      if (on_gone) on_gone();
      return;
    }
    link_->client.post([link = link_, message = std::move(message)]() mutable {
      link->messages.fetch_sub(1);
      link->bytes.fetch_sub(message.size());
      if (link->open) link->handler.on_message(std::move(message));
    });
  }

 private:
  const LinkPtr link_;
  const LocalRpcLimits limits_;
};

}  // namespace

class LocalRpc::Hub final : public io::RpcServer, public std::enable_shared_from_this<Hub> {
 public:
  Hub(io::Executor& server, LocalRpcLimits given) : limits(given), server_(&server) {}

  void serve(const std::string& method, Unary handler) override {
    CHECK(unary_.emplace(method, std::move(handler)).second);
  }
  void serve_stream(const std::string& method, Streaming handler) override {
    CHECK(streaming_.emplace(method, std::move(handler)).second);
  }

  // Any thread. False when the server is gone.
  bool post(io::Executor::Work work) {
    const std::lock_guard lock(mutex_);
    if (server_ == nullptr) return false;
    server_->post(std::move(work));
    return true;
  }

  // Server's thread.
  void handle(const std::string& method, std::string request, io::RpcReply reply) {
    const auto at = unary_.find(method);
    if (at == unary_.end()) {
      reply(io::io_failure(ENOSYS, "rpc: nobody serves " + method));
    } else {
      at->second(std::move(request), std::move(reply));
    }
  }
  void open(const std::string& method, std::string request, const LinkPtr& link) {
    const auto at = streaming_.find(method);
    if (at == streaming_.end()) {
      break_off(link, ENOSYS, "rpc: nobody serves " + method);
      return;
    }
    std::erase_if(links_, [](const auto& weak) { return weak.expired(); });
    links_.push_back(link);
    const auto sink = std::make_shared<Sink>(link, limits);
    link->sink = sink;
    at->second(std::move(request), sink);
  }
  static void leave(const LinkPtr& link) {
    if (std::exchange(link->gone, true)) return;
    if (const auto sink = link->sink.lock(); sink != nullptr && sink->on_gone) sink->on_gone();
  }
  void close() {
    for (const auto& weak : links_) {
      if (const auto link = weak.lock()) break_off(link, ECONNRESET, "stream: the server ended");
    }
    const std::lock_guard lock(mutex_);
    server_ = nullptr;
  }

  const LocalRpcLimits limits;

 private:
  std::mutex mutex_;
  io::Executor* server_;  // null when closed
  std::map<std::string, Unary> unary_;
  std::map<std::string, Streaming> streaming_;
  std::vector<std::weak_ptr<Link>> links_;
};

namespace {

using HubPtr = std::shared_ptr<LocalRpc::Hub>;

class Stream final : public io::RpcStream {
 public:
  Stream(HubPtr hub, LinkPtr link) : hub_(std::move(hub)), link_(std::move(link)) {}
  ~Stream() override {
    link_->open = false;
    hub_->post([link = link_] { LocalRpc::Hub::leave(link); });
  }

 private:
  const HubPtr hub_;
  const LinkPtr link_;
};

// The open calls of a client. Answers that come when it is gone find nobody.
class Calls : public std::enable_shared_from_this<Calls> {
 public:
  explicit Calls(io::Executor& given) : executor(given) {}

  std::uint64_t add(base::Duration timeout, io::RpcReply reply) {
    const std::uint64_t id = ++last_;
    Call& call = open_[id];
    call.reply = std::move(reply);
    call.limit.on_fire([this, id] { answer(id, io::io_failure(ETIMEDOUT, "rpc: no answer")); });
    executor.timers().set(call.limit, executor.now() + timeout);
    return id;
  }
  void answer(std::uint64_t id, io::IoResult<std::string> result) {
    const auto at = open_.find(id);
    if (at == open_.end()) return;  // timed out before
    const auto self = shared_from_this();
    auto reply = std::move(at->second.reply);
    open_.erase(at);
    reply(std::move(result));
  }
  std::size_t size() const { return open_.size(); }

  io::Executor& executor;

 private:
  struct Call {
    io::RpcReply reply;
    base::Timer limit;
  };
  std::map<std::uint64_t, Call> open_;
  std::uint64_t last_ = 0;
};

class Client final : public io::RpcClient {
 public:
  Client(HubPtr hub, io::Executor& executor)
      : hub_(std::move(hub)), calls_(std::make_shared<Calls>(executor)) {}

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override {
    if (calls_->size() >= hub_->limits.calls_open_max) {
      calls_->executor.post([reply = std::move(reply)]() mutable {
        reply(io::io_failure(EAGAIN, "rpc: too many open calls"));
      });
      return;
    }
    const std::uint64_t id = calls_->add(timeout, std::move(reply));
    auto answer = [weak = std::weak_ptr(calls_), &executor = calls_->executor,
                   id](io::IoResult<std::string> result) {
      executor.post([weak, id, result = std::move(result)]() mutable {
        if (const auto calls = weak.lock()) calls->answer(id, std::move(result));
      });
    };
    const bool posted =
        hub_->post([hub = hub_, method, request = std::move(request), answer]() mutable {
          hub->handle(method, std::move(request), std::move(answer));
        });
    if (!posted) answer(io::io_failure(ECONNREFUSED, "rpc: the server ended"));
  }

  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler) override {
    auto link = std::make_shared<Link>(calls_->executor, std::move(handler));
    const bool posted =
        hub_->post([hub = hub_, method, request = std::move(request), link]() mutable {
          if (!link->gone) hub->open(method, std::move(request), link);
        });
    if (!posted) break_off(link, ECONNREFUSED, "rpc: the server ended");
    return std::make_unique<Stream>(hub_, std::move(link));
  }

 private:
  const HubPtr hub_;
  const std::shared_ptr<Calls> calls_;
};

}  // namespace

LocalRpc::LocalRpc(io::Executor& server, LocalRpcLimits limits)
    : hub_(std::make_shared<Hub>(server, limits)) {}
LocalRpc::~LocalRpc() { hub_->close(); }
io::RpcServer& LocalRpc::server() { return *hub_; }
std::unique_ptr<io::RpcClient> LocalRpc::client(io::Executor& executor) {
  return std::make_unique<Client>(hub_, executor);
}

}  // namespace host
