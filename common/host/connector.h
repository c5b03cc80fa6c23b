// An outgoing connection on its way. Ends as a TcpConnection, an error or ETIMEDOUT.
#pragma once

#include "common/base/timer_wheel.h"
#include "common/host/descriptor.h"
#include "common/host/socket_address.h"
#include "common/host/tcp_connection.h"
#include "common/io/net.h"

namespace host {

class Connector final : public EventSource {
 public:
  // Owned by the reactor from here on.
  static void start(ReactorCore& reactor, const io::Address& address, const SocketAddress& where,
                    io::Net::Connected done);

  Connector(ReactorCore& reactor, io::Address address, Descriptor socket, io::Net::Connected done);
  void on_events(std::uint32_t events) override;

 private:
  void finish(int code);

  ReactorCore& reactor_;
  const io::Address address_;
  Descriptor socket_;
  io::Net::Connected done_;
  base::Timer limit_;
};

}  // namespace host
