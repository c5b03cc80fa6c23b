// The Kafka listeners of a broker process: binds them all before anything else, so that a taken
// port is said at once, and gives each new connection to the reactor that has the fewest. Sockets
// that come before open() wait. Lives on reactor 0 of the pool, but for bind().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "common/config/broker_config.h"
#include "common/host/reactor_pool.h"
#include "common/meta/image.h"

namespace broker::shell {

class Listening {
 public:
  // Both outlive it.
  Listening(host::ReactorPool& pool, const config::BrokerConfig& config)
      : pool_(pool), config_(config) {}
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  // Before the pool runs.
  io::IoResult<void> bind();
  // What clients and other brokers are told; after bind().
  std::vector<meta::Listener> advertised() const;
  // The address of a listener by its place in the configuration; after bind().
  const io::Address& address(std::size_t listener) const { return addresses_[listener]; }

  // From now on connections are served. `broker` outlives the pool's connections.
  void open(Broker& broker);

 private:
  void hand_over(std::size_t listener, int socket);
  std::size_t assigned(std::size_t reactor);

  host::ReactorPool& pool_;
  const config::BrokerConfig& config_;
  std::vector<io::Address> addresses_;
  std::vector<std::vector<io::Net::Accept>> accept_;  // by listener, by reactor; empty: not open
  std::map<std::size_t, std::uint64_t> handed_;       // sockets given to each reactor
  struct Early {
    std::size_t listener;
    int socket;
  };
  std::vector<Early> early_;
};

}  // namespace broker::shell
