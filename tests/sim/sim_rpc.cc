#include "tests/sim/sim_rpc.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace sim {
namespace {

class Server;
class Client;

// Both ends of a subscription.
struct Link {
  std::string server;
  std::string client;
  std::weak_ptr<Client> subscriber;
  io::RpcStreamHandler handler;
  std::weak_ptr<io::RpcSink> sink;
  base::Instant last_arrival{};  // keeps the order
  bool open = true;              // for the subscriber
  bool gone = false;             // for the service
};
using LinkPtr = std::shared_ptr<Link>;

}  // namespace

struct SimRpc::State {
  explicit State(SimRpc& given, World& at) : owner(&given), world(at), random(at.random("rpc")) {}

  base::Duration delay() {
    return base::Duration(
        random.between(owner->faults.delay_min.count(), owner->faults.delay_max.count() + 1));
  }
  bool lost(const std::string& from, const std::string& to) {
    return cuts.contains({from, to}) || random.chance(owner->faults.lost_percent, 100);
  }
  bool is_cut(const std::string& a, const std::string& b) const {
    return cuts.contains({a, b}) || cuts.contains({b, a});
  }

  SimRpc* owner;  // null when gone
  World& world;
  base::Random random;
  std::map<std::string, Server*> servers;
  std::set<std::pair<std::string, std::string>> cuts;  // from, to
  std::vector<std::weak_ptr<Link>> links;
};

namespace {

using StatePtr = std::shared_ptr<SimRpc::State>;

class Client final : public std::enable_shared_from_this<Client> {
 public:
  Client(StatePtr state, std::string from, std::string address, SimExecutor& executor)
      : state(std::move(state)),
        from(std::move(from)),
        address(std::move(address)),
        executor(executor) {}

  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply);
  void answer(std::uint64_t id, io::IoResult<std::string> result) {
    auto node = calls.extract(id);
    if (node.empty()) return;
    if (executor.runs()) return node.mapped().reply(std::move(result));
    executor.post([reply = std::move(node.mapped().reply), result = std::move(result)]() mutable {
      reply(std::move(result));
    });
  }
  // One event for the next timeout, not one for each call: most are answered long before.
  void await_timeout(base::Instant deadline) {
    if (armed && *armed <= deadline) return;
    armed = deadline;
    state->world.at(deadline, [weak = weak_from_this(), deadline] {
      const auto self = weak.lock();
      if (self && self->armed == deadline) self->end_overdue();
    });
  }
  void end_overdue();

  StatePtr state;
  std::string from;
  std::string address;
  SimExecutor& executor;
  struct Call {
    io::RpcReply reply;
    std::string method;
    base::Instant deadline;
  };
  std::uint64_t next_call = 0;
  std::map<std::uint64_t, Call> calls;
  std::optional<base::Instant> armed;  // the earliest event that looks for overdue calls
};

void Client::end_overdue() {
  armed.reset();
  std::vector<std::uint64_t> overdue;
  std::optional<base::Instant> next;
  for (const auto& [id, call] : calls) {
    if (call.deadline <= state->world.now()) {
      overdue.push_back(id);
    } else {
      next = std::min(next.value_or(call.deadline), call.deadline);
    }
  }
  if (next) await_timeout(*next);
  for (const std::uint64_t id : overdue) {
    const auto call = calls.find(id);
    if (call != calls.end()) answer(id, io::io_failure(ETIMEDOUT, call->second.method));
  }
}

void break_link(const StatePtr& state, const LinkPtr& link, std::string why) {
  const auto when = std::max(state->world.now() + state->delay(), link->last_arrival);
  state->world.at(when, [link, why = std::move(why)] {
    auto client = link->subscriber.lock();
    if (!client || !std::exchange(link->open, false)) return;
    client->executor.post([link, why] { link->handler.on_broken({ECONNRESET, why}); });
  });
}

class Sink final : public io::RpcSink {
 public:
  Sink(StatePtr state, LinkPtr link) : state_(std::move(state)), link_(std::move(link)) {}
  ~Sink() override {
    if (state_->owner && !link_->gone) break_link(state_, link_, "ended by the service");
  }
  void send(std::string message) override {
    if (link_->gone || !state_->owner) return;
    link_->last_arrival = std::max(state_->world.now() + state_->delay(), link_->last_arrival);
    state_->world.at(link_->last_arrival, [link = link_, message = std::move(message)]() mutable {
      auto client = link->subscriber.lock();
      if (!client || !link->open) return;
      client->executor.post([link, message = std::move(message)]() mutable {
        if (link->open) link->handler.on_message(std::move(message));
      });
    });
  }

 private:
  StatePtr state_;
  LinkPtr link_;
};

class Server final : public io::RpcServer {
 public:
  Server(StatePtr state, std::string address, SimExecutor& executor)
      : executor(executor), state_(std::move(state)), address_(std::move(address)) {
    CHECK(state_->servers.emplace(address_, this).second);
  }
  ~Server() override {
    if (!state_->owner) return;
    state_->servers.erase(address_);
    for (const auto& weak : state_->links) {
      const LinkPtr link = weak.lock();
      if (!link || link->server != address_ || link->gone) continue;
      link->gone = true;
      break_link(state_, link, "the server is gone");
    }
  }
  void serve(const std::string& method, Unary handler) override {
    CHECK(unary.emplace(method, std::move(handler)).second);
  }
  void serve_stream(const std::string& method, Streaming handler) override {
    CHECK(streaming.emplace(method, std::move(handler)).second);
  }

  std::map<std::string, Unary> unary;
  std::map<std::string, Streaming> streaming;
  SimExecutor& executor;

 private:
  StatePtr state_;
  std::string address_;
};

// Carries a result back to the client, unless it is lost on the way.
void send_back(const StatePtr& state, const std::weak_ptr<Client>& to, std::uint64_t id,
               io::IoResult<std::string> result) {
  auto client = to.lock();
  if (!client || !state->owner || state->lost(client->address, client->from)) return;
  state->world.after(state->delay(), [to, id, result = std::move(result)]() mutable {
    if (auto waiting = to.lock()) waiting->answer(id, std::move(result));
  });
}

void Client::call(const std::string& method, std::string request, base::Duration timeout,
                  io::RpcReply reply) {
  const std::uint64_t id = ++next_call;
  const base::Instant deadline = state->world.now() + timeout;
  calls.emplace(id, Call{std::move(reply), method, deadline});
  await_timeout(deadline);
  const std::weak_ptr<Client> weak = weak_from_this();
  if (state->lost(from, address)) return;
  state->world.after(state->delay(), [shared = state, weak, id, method, where = address,
                                      request = std::move(request)]() mutable {
    if (!shared->owner) return;
    auto found = shared->servers.find(where);
    if (found == shared->servers.end()) {
      return send_back(shared, weak, id, io::io_failure(ECONNREFUSED, where));
    }
    Server* server = found->second;
    auto serve = [shared, weak, id, method, server, request = std::move(request)]() mutable {
      auto handler = server->unary.find(method);
      if (handler == server->unary.end()) {
        return send_back(shared, weak, id, io::io_failure(ENOSYS, method));
      }
      handler->second(std::move(request), [shared, weak, id](io::IoResult<std::string> result) {
        send_back(shared, weak, id, std::move(result));
      });
    };
    if (server->executor.runs()) return serve();
    server->executor.post(std::move(serve));
  });
}

void leave(const LinkPtr& link) {
  if (std::exchange(link->gone, true)) return;
  if (auto sink = link->sink.lock(); sink && sink->on_gone) sink->on_gone();
}

class Stream final : public io::RpcStream {
 public:
  Stream(StatePtr state, LinkPtr link) : state_(std::move(state)), link_(std::move(link)) {}
  ~Stream() override {
    link_->open = false;
    if (!state_->owner) return;
    state_->world.after(state_->delay(), [shared = state_, link = link_] {
      auto found = shared->servers.find(link->server);
      if (!shared->owner || found == shared->servers.end()) return;
      found->second->executor.post([link] { leave(link); });
    });
  }

 private:
  StatePtr state_;
  LinkPtr link_;
};

// What a process holds: its calls end with it.
class ClientEnd final : public io::RpcClient {
 public:
  explicit ClientEnd(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  void call(const std::string& method, std::string request, base::Duration timeout,
            io::RpcReply reply) override {
    client_->call(method, std::move(request), timeout, std::move(reply));
  }
  std::unique_ptr<io::RpcStream> subscribe(const std::string& method, std::string request,
                                           io::RpcStreamHandler handler) override {
    const StatePtr& state = client_->state;
    auto link = std::make_shared<Link>();
    link->server = client_->address;
    link->client = client_->from;
    link->subscriber = client_;
    link->handler = std::move(handler);
    std::erase_if(state->links, [](const auto& weak) { return weak.expired(); });
    state->links.push_back(link);
    state->world.after(state->delay(), [state, link, method,
                                        request = std::move(request)]() mutable {
      if (!state->owner) return;
      auto found = state->servers.find(link->server);
      if (found == state->servers.end() || state->is_cut(link->server, link->client)) {
        return break_link(state, link, "nobody listens");
      }
      Server* server = found->second;
      server->executor.post([state, link, method, server, request = std::move(request)]() mutable {
        auto service = server->streaming.find(method);
        if (service == server->streaming.end()) {
          return break_link(state, link, "nobody serves " + method);
        }
        if (link->gone) return;
        auto sink = std::make_shared<Sink>(state, link);
        link->sink = sink;
        service->second(std::move(request), sink);
      });
    });
    return std::make_unique<Stream>(state, link);
  }

 private:
  std::shared_ptr<Client> client_;
};

}  // namespace

SimRpc::SimRpc(World& world) : state_(std::make_shared<State>(*this, world)) {}
SimRpc::~SimRpc() { state_->owner = nullptr; }

std::unique_ptr<io::RpcServer> SimRpc::serve(const std::string& address, SimExecutor& executor) {
  return std::make_unique<Server>(state_, address, executor);
}

std::unique_ptr<io::RpcClient> SimRpc::connect(const std::string& from, const std::string& address,
                                               SimExecutor& executor) {
  return std::make_unique<ClientEnd>(std::make_shared<Client>(state_, from, address, executor));
}

void SimRpc::cut(const std::string& a, const std::string& b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void SimRpc::cut_one_way(const std::string& from, const std::string& to) {
  state_->cuts.emplace(from, to);
  for (const auto& weak : state_->links) {
    const LinkPtr link = weak.lock();
    if (!link || !state_->is_cut(link->server, link->client)) continue;
    break_link(state_, link, "cut off");
    auto found = state_->servers.find(link->server);
    if (found != state_->servers.end()) found->second->executor.post([link] { leave(link); });
  }
}

void SimRpc::heal() { state_->cuts.clear(); }

}  // namespace sim
