#include "controller/node/quorum_founder.h"

#include <utility>

namespace controller {
namespace {

constexpr base::Duration kAskEvery = std::chrono::milliseconds(100);
constexpr base::Duration kTellEvery = std::chrono::seconds(5);

}  // namespace

QuorumFounder::QuorumFounder(io::Executor& executor, base::Diag& diag,
                             std::shared_ptr<QuorumTransport> transport, raft::Member self,
                             std::vector<raft::NodeId> others, Done done)
    : executor_(executor),
      diag_(diag),
      transport_(std::move(transport)),
      members_{{std::move(self)}},
      missing_(std::move(others)),
      done_(std::move(done)),
      told_(executor.now()) {
  again_.on_fire([this] { ask(); });
}

void QuorumFounder::start() { ask(); }

void QuorumFounder::ask() {
  open_ = missing_.size();
  for (const raft::NodeId id : std::vector(missing_)) {
    transport_->probe(
        id, [weak = weak_from_this(), id](const std::optional<QuorumTransport::Probe>& probe) {
          if (const auto self = weak.lock()) self->answered(id, probe);
        });
  }
}

void QuorumFounder::answered(raft::NodeId id, const std::optional<QuorumTransport::Probe>& probe) {
  if (!done_) return;
  --open_;
  if (probe && !probe->empty) return finish(std::nullopt);
  if (probe) {
    std::erase(missing_, id);
    members_ = members_.with({id, probe->directory, true, {}, 0});
    if (missing_.empty()) return finish(members_);
  }
  if (open_ > 0) return;
  if (executor_.now() - told_ >= kTellEvery) {
    told_ = executor_.now();
    std::string missing;
    for (const raft::NodeId each : missing_) {
      const auto address = transport_->address_of(each);
      missing += (missing.empty() ? "" : ", ") + std::to_string(each.value()) +
                 (address ? " at " + address->to_string() : " (no address)");
    }
    diag_.warn("quorum", "a new cluster begins when all controllers are there",
               {{"missing", missing}});
  }
  executor_.timers().set(again_, executor_.now() + kAskEvery);
}

void QuorumFounder::finish(std::optional<raft::Membership> members) {
  again_.cancel();
  std::exchange(done_, nullptr)(std::move(members));
}

}  // namespace controller
