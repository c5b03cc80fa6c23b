#include "broker/node/reactor.h"

#include "broker/fetch/fetch_session.h"
#include "broker/limits.h"
#include "broker/node/stats.h"

namespace broker {

Reactor::Reactor(std::uint32_t number, io::Executor& runs, io::Net& connects, base::Random random)
    : index(number),
      executor(runs),
      net(connects),
      stats(std::make_unique<ReactorStats>()),
      fetch_sessions(std::make_unique<FetchSessions>(limits::kFetchSessionsMax, random)) {}

Reactor::~Reactor() = default;

}  // namespace broker
