#include "common/host/reactor.h"

#include <sys/epoll.h>

#include <algorithm>

#include "common/host/connector.h"
#include "common/host/listener.h"
#include "common/host/reactor_core.h"
#include "common/host/socket_address.h"

namespace host {
Reactor::Reactor(BlockingPool& pool, ReactorOptions options)
    : core_(std::make_unique<ReactorCore>(*this, pool, options)) {}
Reactor::~Reactor() = default;

void Reactor::post(Work work) { core_->post(std::move(work)); }

void Reactor::blocking(Work work, Work done) {
  core_->blocking_pool.run(
      [core = core_.get(), work = std::move(work), done = std::move(done)]() mutable {
        work();
        core->post(std::move(done));
      });
}

base::Instant Reactor::now() const { return core_->now; }
base::TimerWheel& Reactor::timers() { return core_->timers; }
bool Reactor::here() const { return core_->here(); }
void Reactor::run() { core_->run(); }
void Reactor::stop() { core_->stop(); }

io::IoResult<io::Address> Reactor::listen(const io::Address& address, Accept accept) {
  return listen(address, Distribute([this, accept = std::move(accept)](int socket) {
                  core_->adopt(Descriptor(socket), accept);
                }));
}

io::IoResult<io::Address> Reactor::listen(const io::Address& address, Distribute distribute) {
  const auto socket = listening_socket(address, core_->options.backlog);
  if (!socket) return std::unexpected(socket.error());
  auto listener = std::make_unique<Listener>(*core_, Descriptor(*socket), std::move(distribute));
  core_->listeners.push_back(listener.get());
  core_->own(std::move(listener));
  return local_address(*socket);
}

void Reactor::stop_listening() {
  for (Listener* listener : core_->listeners) {
    listener->close();
    core_->retire(*listener);
  }
  core_->listeners.clear();
}

void Reactor::connect(const io::Address& address, Connected done) {
  if (const auto where = resolve(address, Resolve::kNumbersOnly)) {
    post([core = core_.get(), address, where = *where, done = std::move(done)]() mutable {
      Connector::start(*core, address, where, std::move(done));
    });
    return;
  }
  auto answer = std::make_shared<io::IoResult<SocketAddress>>();
  blocking([answer, address] { *answer = resolve(address, Resolve::kNames); },
           [core = core_.get(), answer, address, done = std::move(done)]() mutable {
             if (*answer) {
               Connector::start(*core, address, **answer, std::move(done));
             } else {
               done(std::unexpected(answer->error()));
             }
           });
}

void Reactor::adopt(int socket, Accept accept) {
  core_->adopt(Descriptor(socket), std::move(accept));
}

void Reactor::watch(int descriptor, std::function<void()> readable) {
  auto watch = std::make_unique<Watch>(std::move(readable));
  core_->add(descriptor, EPOLLIN, *watch);
  core_->watches[descriptor] = watch.get();
  core_->own(std::move(watch));
}

void Reactor::unwatch(int descriptor) {
  const auto at = core_->watches.find(descriptor);
  if (at == core_->watches.end()) return;
  core_->remove(descriptor);
  at->second->silence();
  core_->retire(*at->second);
  core_->watches.erase(at);
}

std::size_t Reactor::connection_count() const {
  return core_->connection_count.load(std::memory_order_relaxed);
}
const ReactorStats& Reactor::stats() const { return core_->stats; }

}  // namespace host
