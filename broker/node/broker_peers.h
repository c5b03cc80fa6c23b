// Connections of this broker to the others for the calls that brokers make among themselves
// (WriteTxnMarkers, AddPartitionsToTxn): one per reactor and peer, made when first needed. Calls
// come on a reactor and are answered on it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "broker/node/node.h"
#include "broker/node/peer_connection.h"
#include "common/base/random.h"

namespace broker {

class BrokerPeers {
 public:
  // Before the first call.
  BrokerPeers(Node& node, base::Random random);
  ~BrokerPeers();
  BrokerPeers(const BrokerPeers&) = delete;
  BrokerPeers& operator=(const BrokerPeers&) = delete;

  // On `reactor`. Null with why: also when the metadata knows no address of that broker. Calls
  // to one peer are answered in order.
  template <class Response, class Request>
  void call(Reactor& reactor, base::BrokerId peer, const Request& request, std::int16_t version,
            PeerConnection::Done<Response> done) {
    if (PeerConnection* connection = connection_to(reactor, peer)) {
      return connection->call<Response>(request, version, std::move(done));
    }
    reactor.executor.post([done = std::move(done)]() mutable {
      done(nullptr, {ENOTCONN, "the broker has no address"});
    });
  }

 private:
  using Connections = std::map<base::BrokerId, std::unique_ptr<PeerConnection>>;
  PeerConnection* connection_to(Reactor& reactor, base::BrokerId peer);

  Node& node_;
  base::Random random_;
  std::vector<Connections> by_reactor_;  // each touched by its reactor only
};

}  // namespace broker
