#include "broker/node/reactor.h"

#include "broker/fetch/fetch_session.h"
#include "broker/node/stats.h"

namespace broker {

Reactor::Reactor(std::uint32_t number, io::Executor& runs, io::Net& connects, base::Random random,
                 std::size_t fetch_sessions_max)
    : index(number),
      executor(runs),
      net(connects),
      stats(std::make_unique<ReactorStats>()),
      fetch_sessions(std::make_unique<FetchSessions>(fetch_sessions_max, random)) {}

Reactor::~Reactor() = default;

}  // namespace broker
