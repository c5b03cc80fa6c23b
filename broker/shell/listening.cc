#include "broker/shell/listening.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace broker::shell {

Listening::~Listening() {
  for (const Early& each : early_) close(each.socket);
}

io::IoResult<void> Listening::bind() {
  for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
    const config::Listener& wanted = config_.listeners[i];
    auto bound = pool_[0].listen({wanted.host, wanted.port}, [this, i](int socket) {
      if (accept_.empty()) {
        early_.push_back({i, socket});
      } else {
        hand_over(i, socket);
      }
    });
    if (!bound) return std::unexpected(bound.error());
    addresses_.push_back(*bound);
  }
  return {};
}

std::vector<meta::Listener> Listening::advertised() const {
  std::vector<meta::Listener> out;
  for (const config::Listener& wanted : config_.advertised_listeners) {
    const auto at = std::ranges::find(config_.listeners, wanted.name, &config::Listener::name);
    const auto index = static_cast<std::size_t>(at - config_.listeners.begin());
    const bool anywhere = wanted.host.empty() || wanted.host == "0.0.0.0" || wanted.host == "::";
    out.push_back({wanted.name, anywhere ? "127.0.0.1" : wanted.host,
                   wanted.port == 0 ? addresses_[index].port : wanted.port});
  }
  return out;
}

void Listening::open(Broker& broker) {
  for (const config::Listener& each : config_.listeners) {
    auto& by_reactor = accept_.emplace_back();
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      by_reactor.push_back(broker.accept_on(i, each.name));
    }
  }
  for (const Early& each : std::exchange(early_, {})) hand_over(each.listener, each.socket);
}

void Listening::hand_over(std::size_t listener, int socket) {
  std::size_t least = 0;
  for (std::size_t i = 1; i < pool_.size(); ++i) {
    if (assigned(i) < assigned(least)) least = i;
  }
  ++handed_[least];
  pool_[least].post(
      [this, listener, least, socket] { pool_[least].adopt(socket, accept_[listener][least]); });
}

// Sockets on their way count too.
std::size_t Listening::assigned(std::size_t reactor) {
  return handed_[reactor] - pool_[reactor].stats().connections_closed.value();
}

}  // namespace broker::shell
