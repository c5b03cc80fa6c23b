#include "broker/node/client_sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace broker {
namespace {

constexpr std::size_t kAtATime = 256;

void recall_last(std::vector<std::weak_ptr<ClientSession>> sessions, io::Executor& executor,
                 bool again) {
  for (std::size_t i = 0; i < kAtATime && !sessions.empty(); ++i) {
    if (const auto session = sessions.back().lock()) session->recall(again);
    sessions.pop_back();
  }
  if (sessions.empty()) return;
  executor.post([sessions = std::move(sessions), &executor, again]() mutable {
    recall_last(std::move(sessions), executor, again);
  });
}

}  // namespace

void ClientSessions::recall_all(io::Executor& executor, bool again) {
  recall_last({sessions_.begin(), sessions_.end()}, executor, again);
}

}  // namespace broker
