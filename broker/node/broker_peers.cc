#include "broker/node/broker_peers.h"

#include <string>

namespace broker {
namespace {

constexpr std::int32_t kFrameBytesMax = 16 << 20;
constexpr std::chrono::seconds kRequestTimeout{30};

}  // namespace

BrokerPeers::BrokerPeers(Node& node, base::Random random)
    : node_(node), random_(random), by_reactor_(node.reactors.size()) {}

BrokerPeers::~BrokerPeers() = default;

PeerConnection* BrokerPeers::connection_to(Reactor& reactor, base::BrokerId peer) {
  const auto image = node_.image();
  const meta::Broker* broker = image->broker(peer);
  const meta::Listener* listener =
      broker == nullptr ? nullptr : broker->listener(node_.config.inter_broker_listener_name);
  if (listener == nullptr) return nullptr;
  auto& connection = by_reactor_.at(reactor.index)[peer];
  if (connection == nullptr) {
    const std::string name = "broker-" + std::to_string(node_.broker_id.value());
    connection = std::make_unique<PeerConnection>(
        reactor.executor, reactor.net, node_.diag,
        random_.split("peer " + std::to_string(peer.value()) + " of reactor " +
                      std::to_string(reactor.index)),
        PeerConnection::Options{.client_id = name + "-txn",
                                .frame_bytes_max = kFrameBytesMax,
                                .request_timeout = kRequestTimeout});
  }
  connection->set_address(io::Address{listener->host, listener->port});
  return connection.get();
}

}  // namespace broker
