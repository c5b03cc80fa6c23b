// A listening socket of a reactor. When the process has no descriptor left it rests for a moment
// instead of spinning; the backlog keeps the callers meanwhile.
#pragma once

#include "common/base/timer_wheel.h"
#include "common/host/descriptor.h"
#include "common/host/reactor.h"
#include "common/host/tcp_connection.h"

namespace host {

class Listener final : public EventSource {
 public:
  Listener(ReactorCore& reactor, Descriptor socket, Reactor::Distribute distribute);

  void on_events(std::uint32_t events) override;
  void close();

 private:
  void rest(int code);

  ReactorCore& reactor_;
  Descriptor socket_;
  Reactor::Distribute distribute_;
  base::Timer wake_;
};

}  // namespace host
