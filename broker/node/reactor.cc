#include "broker/node/reactor.h"

#include "broker/fetch/fetch_session.h"
#include "broker/node/client_sessions.h"
#include "broker/node/stats.h"
#include "common/base/timer_wheel.h"

namespace broker {

struct Reactor::Delayed {
  base::Timer timer;
  io::Executor::Work work;
};

Reactor::Reactor(std::uint32_t number, io::Executor& runs, io::Net& connects, base::Random random,
                 std::size_t fetch_sessions_max)
    : index(number),
      executor(runs),
      net(connects),
      stats(std::make_unique<ReactorStats>()),
      fetch_sessions(std::make_unique<FetchSessions>(fetch_sessions_max, random)),
      client_sessions(std::make_unique<ClientSessions>()) {}

Reactor::~Reactor() = default;

void Reactor::after(base::Duration delay, io::Executor::Work work) {
  delayed_.push_back(std::make_unique<Delayed>());
  const auto at = std::prev(delayed_.end());
  (*at)->work = std::move(work);
  (*at)->timer.on_fire([this, at] {
    const auto due = std::move(*at);
    delayed_.erase(at);
    due->work();
  });
  executor.timers().set((*at)->timer, executor.now() + delay);
}

}  // namespace broker
