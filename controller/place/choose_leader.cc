#include "controller/place/choose_leader.h"

#include <algorithm>

#include "common/base/mutant.h"

namespace controller::place {
namespace {

bool contains(const std::vector<base::BrokerId>& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

std::optional<base::BrokerId> first(const Ballot& ballot, const std::vector<base::BrokerId>& of) {
  for (base::BrokerId id : ballot.replicas) {
    if (contains(of, id) && ballot.live(id)) return id;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Chosen> choose_leader(const Ballot& ballot) {
  const auto in_sync = [&](base::BrokerId id) {
    return contains(ballot.replicas, id) && contains(ballot.isr, id) && ballot.live(id);
  };
  if (ballot.wish == Wish::kPreferred && !ballot.replicas.empty() &&
      in_sync(ballot.replicas.front())) {
    return Chosen{ballot.replicas.front()};
  }
  if (ballot.leader && in_sync(*ballot.leader)) return Chosen{*ballot.leader};
  if (auto id = first(ballot, ballot.isr)) return Chosen{*id};
  // The ISR is beyond reach. While it was smaller than min.insync.replicas nothing was acknowledged
  // that is not on the ELR too.
  if (auto id = first(ballot, ballot.elr)) return Chosen{*id, Ground::kEligible};
  if (ballot.unclean || MUTANT("elects-unclean")) {
    const auto holds_something = [&](base::BrokerId id) {
      return !contains(ballot.empty, id) && ballot.live(id);
    };
    const auto best = std::ranges::find_if(ballot.replicas, holds_something);
    if (best != ballot.replicas.end()) return Chosen{*best, Ground::kUnclean};
    if (auto id = first(ballot, ballot.empty)) return Chosen{*id, Ground::kUnclean};
  }
  return std::nullopt;
}

}  // namespace controller::place
