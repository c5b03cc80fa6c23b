#include "broker/node/leader_check.h"

#include <utility>

#include "broker/node/broker_peers.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/api_versions_response.h"

namespace broker {
namespace {

constexpr std::int16_t kVersion = 0;
// A leader that lives answers within a fraction of it; one that is frozen is not waited for.
constexpr std::chrono::milliseconds kPatience{50};

}  // namespace

struct LeaderCheck::Round {
  std::size_t left = 0;
  io::Executor::Work then;

  void finish() {
    if (then) std::exchange(then, nullptr)();
  }
};

LeaderCheck::LeaderCheck(Node& node) : node_(node), by_reactor_(node.reactors.size()) {}

LeaderCheck::~LeaderCheck() = default;

void LeaderCheck::run(Reactor& reactor, const std::set<base::BrokerId>& leaders,
                      io::Executor::Work then) {
  if (leaders.empty()) return reactor.executor.post(std::move(then));
  auto round = std::make_shared<Round>();
  round->left = leaders.size();
  round->then = std::move(then);
  for (const base::BrokerId leader : leaders) {
    auto& waiting = by_reactor_.at(reactor.index)[leader];
    waiting.push_back(round);
    if (waiting.size() == 1) ask(reactor, leader);
  }
  reactor.after(kPatience, [round] { round->finish(); });
}

void LeaderCheck::ask(Reactor& reactor, base::BrokerId leader) {
  node_.peers->call<wire::ApiVersionsResponse>(
      reactor, leader, wire::ApiVersionsRequest{}, kVersion,
      [this, &reactor, leader](wire::ApiVersionsResponse* answer, const io::IoError& error) {
        if (answer != nullptr) {
          node_.losses.heard(leader);
        } else {
          node_.losses.failed(leader, error, reactor.executor.now());
        }
        auto waiting = std::move(by_reactor_.at(reactor.index)[leader]);
        by_reactor_.at(reactor.index).erase(leader);
        for (const auto& round : waiting) {
          if (--round->left == 0) round->finish();
        }
      });
}

}  // namespace broker
