#include "broker/node/recall.h"

#include <algorithm>
#include <utility>

#include "common/base/mutant.h"

namespace broker {

Recall::Recall(base::BrokerId self, io::Executor& home, RecallClients recall)
    : self_(self), home_(home), recall_(std::move(recall)) {
  timer_.on_fire([this] { fire(); });
}

void Recall::on_change(const meta::Image& after, const meta::Delta& delta) {
  bool another = false;
  for (const base::BrokerId id : delta.brokers) {
    if (id == self_) continue;
    const meta::Broker* broker = after.broker(id);
    if (broker != nullptr && broker->silent) {
      another = silent_.emplace(id, broker->epoch).second || another;
    } else {
      std::erase_if(silent_, [id](const auto& each) { return each.first == id; });
    }
  }
  if (another && !MUTANT("clients-wait-for-the-silent")) plan(after);
}

void Recall::plan(const meta::Image& image) {
  if (timer_.is_set() && !again_) return;
  std::size_t alive = 0;
  std::size_t before = 0;
  for (const auto& [id, broker] : image.brokers()) {
    if (!broker->live()) continue;
    ++alive;
    before += id < self_ ? 1 : 0;
  }
  alive = std::clamp<std::size_t>(alive, 1, kSteps);
  rounds_ = (kTurns + alive - 1) / alive;
  again_ = false;
  between_ = kStep * static_cast<std::int64_t>(alive);
  const auto turn = static_cast<std::int64_t>(before % kSteps);
  home_.timers().set(timer_, std::max(home_.now() + kFirst + kStep * turn, allowed_));
}

void Recall::fire() {
  if (!again_) allowed_ = home_.now() + kPause;
  recall_(std::exchange(again_, true));
  if (--rounds_ > 0) home_.timers().set(timer_, home_.now() + between_);
}

}  // namespace broker
