#include "operator/plan/replicas.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>

namespace kube {
namespace {

using Replicas = std::vector<std::int32_t>;

bool has(const Replicas& replicas, std::int32_t id) {
  return std::ranges::find(replicas, id) != replicas.end();
}

class Spread {
 public:
  explicit Spread(const std::vector<BrokerSeen>& brokers) {
    for (const BrokerSeen& each : brokers) {
      racks_[each.id] = each.rack;
      if (!each.fenced && !each.draining) load_[each.id] = each.replicas;
    }
  }

  // False when there is nobody left.
  bool add_one(Replicas& to) {
    std::optional<std::tuple<bool, std::int32_t, std::int32_t>> best;
    for (const auto& [id, load] : load_) {
      if (has(to, id)) continue;
      const bool rack_taken = std::ranges::any_of(to, [&](std::int32_t other) {
        const auto rack = racks_.find(other);
        return rack != racks_.end() && !rack->second.empty() && rack->second == racks_[id];
      });
      const std::tuple candidate{rack_taken, load, id};
      if (!best || candidate < *best) best = candidate;
    }
    if (!best) return false;
    to.push_back(std::get<2>(*best));
    ++load_[to.back()];
    return true;
  }

 private:
  std::map<std::int32_t, std::int32_t> load_;
  std::map<std::int32_t, std::string> racks_;
};

void drop_one(Replicas& from, const Replicas& isr) {
  const auto lagging =
      std::find_if(from.rbegin(), from.rend(), [&](std::int32_t id) { return !has(isr, id); });
  from.erase(lagging == from.rend() ? std::prev(from.end()) : std::prev(lagging.base()));
}

}  // namespace

std::map<std::int32_t, std::vector<std::int32_t>> with_factor(
    const std::vector<PartitionSeen>& partitions, std::size_t factor,
    const std::vector<BrokerSeen>& brokers) {
  std::map<std::int32_t, Replicas> out;
  Spread spread(brokers);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    Replicas replicas = partitions[i].replicas;
    if (replicas.size() == factor) continue;
    while (replicas.size() > factor) drop_one(replicas, partitions[i].isr);
    bool enough = true;
    while (enough && replicas.size() < factor) enough = spread.add_one(replicas);
    if (enough) out[static_cast<std::int32_t>(i)] = std::move(replicas);
  }
  return out;
}

}  // namespace kube
