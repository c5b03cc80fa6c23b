#include "controller/place/spread.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/base/check.h"

namespace controller::place {
namespace {

// Brokers in a ring in which neighbours stand in different racks as far as possible.
std::vector<Candidate> interleave(std::vector<Candidate> candidates) {
  std::ranges::sort(candidates, {}, &Candidate::id);
  std::map<std::string, std::vector<Candidate>> racks;
  for (auto& each : candidates) racks[each.rack].push_back(each);
  std::vector<Candidate> ring;
  for (std::size_t round = 0; ring.size() < candidates.size(); ++round) {
    for (const auto& [rack, brokers] : racks) {
      if (round < brokers.size()) ring.push_back(brokers[round]);
    }
  }
  return ring;
}

}  // namespace

std::vector<std::vector<base::BrokerId>> spread(std::vector<Candidate> candidates,
                                                std::size_t partitions,
                                                std::size_t replication_factor,
                                                std::uint64_t start) {
  CHECK(replication_factor >= 1);
  CHECK(replication_factor <= candidates.size());
  const std::vector<Candidate> ring = interleave(std::move(candidates));
  const std::size_t size = ring.size();
  std::vector<std::vector<base::BrokerId>> plan;
  plan.reserve(partitions);
  for (std::size_t p = 0; p < partitions; ++p) {
    const std::size_t leader = (start + p) % size;
    // With each turn of the ring the followers stand one further from their leader, so that the
    // partitions of a lost leader do not all fall on the same next broker.
    const std::size_t shift = size > 1 ? (p / size) % (size - 1) : 0;
    std::vector<base::BrokerId> replicas{ring[leader].id};
    std::set<std::string> racks{ring[leader].rack};
    for (const bool same_rack_too : {false, true}) {
      for (std::size_t step = 0; step + 1 < size; ++step) {
        if (replicas.size() == replication_factor) break;
        const Candidate& next = ring[(leader + 1 + (shift + step) % (size - 1)) % size];
        if (std::ranges::find(replicas, next.id) != replicas.end()) continue;
        if (!same_rack_too && racks.contains(next.rack)) continue;
        replicas.push_back(next.id);
        racks.insert(next.rack);
      }
    }
    plan.push_back(std::move(replicas));
  }
  return plan;
}

}  // namespace controller::place
