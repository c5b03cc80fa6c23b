#include "controller/place/spread.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace controller::place {
namespace {

// Goal: replicas are distinct, in different racks while there are racks, and every broker leads
// within one of the same number. Method: all small clusters with all replication factors.
TEST(Spread, IsEvenAndCrossesRacks) {
  for (int brokers = 1; brokers <= 7; ++brokers) {
    for (int racks = 1; racks <= brokers; ++racks) {
      std::vector<Candidate> candidates;
      std::map<base::BrokerId, std::string> rack_of;
      for (int b = 0; b < brokers; ++b) {
        candidates.push_back({base::BrokerId(b), "rack" + std::to_string(b % racks)});
        rack_of[base::BrokerId(b)] = candidates.back().rack;
      }
      for (std::size_t factor = 1; factor <= candidates.size(); ++factor) {
        const auto plan = spread(candidates, 23, factor, 5);
        ASSERT_EQ(plan.size(), 23u);
        std::map<base::BrokerId, int> led;
        for (const auto& each : candidates) led[each.id] = 0;
        for (const auto& replicas : plan) {
          ASSERT_EQ(replicas.size(), factor);
          ++led[replicas.front()];
          std::set<base::BrokerId> distinct(replicas.begin(), replicas.end());
          ASSERT_EQ(distinct.size(), factor);
          std::set<std::string> crossed;
          for (auto id : replicas) crossed.insert(rack_of[id]);
          ASSERT_EQ(crossed.size(), std::min<std::size_t>(factor, static_cast<std::size_t>(racks)));
        }
        int least = 1000;
        int most = 0;
        for (const auto& [id, count] : led) {
          least = std::min(least, count);
          most = std::max(most, count);
        }
        ASSERT_LE(most - least, 1);
      }
    }
  }
}

// Goal: what one broker leads is followed by all others, not by one neighbour. Method: 6 brokers in
// one rack, count who is second where broker 0 is first.
TEST(Spread, FollowersOfOneLeaderVary) {
  std::vector<Candidate> candidates;
  for (int b = 0; b < 6; ++b) candidates.push_back({base::BrokerId(b), ""});
  std::set<base::BrokerId> seconds;
  for (const auto& replicas : spread(candidates, 60, 2, 0)) {
    if (replicas[0] == base::BrokerId(0)) seconds.insert(replicas[1]);
  }
  EXPECT_EQ(seconds.size(), 5u);
}

// Goal: the order in which candidates are named does not matter.
TEST(Spread, DoesNotDependOnOrderOfInput) {
  const std::vector<Candidate> one = {
      {base::BrokerId(3), "b"}, {base::BrokerId(1), "a"}, {base::BrokerId(2), "b"}};
  const std::vector<Candidate> two = {one[2], one[0], one[1]};
  EXPECT_EQ(spread(one, 7, 2, 9), spread(two, 7, 2, 9));
}

}  // namespace
}  // namespace controller::place
