#include "controller/place/choose_leader.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace controller::place {
namespace {

std::vector<base::BrokerId> ids(const std::vector<int>& values) {
  std::vector<base::BrokerId> out;
  for (int value : values) out.push_back(base::BrokerId(value));
  return out;
}

struct Row {
  const char* what;
  std::vector<int> replicas;
  std::vector<int> isr;
  std::vector<int> elr;
  std::vector<int> live;
  int leader;  // 0: none
  Wish wish;
  bool unclean;
  int chosen;  // 0: nobody
  Ground ground;
};

constexpr Wish kKeep = Wish::kKeep;
constexpr Wish kPreferred = Wish::kPreferred;
constexpr Ground kInSync = Ground::kInSync;

// Goal: the whole table of who is chosen and on which ground.
TEST(ChooseLeader, Table) {
  const std::vector<Row> rows = {
      {"keeps the leader", {1, 2, 3}, {1, 2, 3}, {}, {1, 2, 3}, 2, kKeep, false, 2, kInSync},
      {"first live in order", {3, 1, 2}, {1, 2, 3}, {}, {1, 2}, 3, kKeep, false, 1, kInSync},
      {"order of replicas, not of the ISR",
       {3, 1},
       {1, 3},
       {},
       {1, 3},
       0,
       kKeep,
       false,
       3,
       kInSync},
      {"live but out of sync is nobody", {1, 2}, {1}, {}, {2}, 1, kKeep, false, 0, kInSync},
      {"a leader out of the ISR goes", {1, 2}, {2}, {}, {1, 2}, 1, kKeep, false, 2, kInSync},
      {"a removed leader goes", {2, 3}, {1, 2}, {}, {1, 2, 3}, 1, kKeep, false, 2, kInSync},
      {"preferred", {1, 2}, {1, 2}, {}, {1, 2}, 2, kPreferred, false, 1, kInSync},
      {"preferred out of sync", {1, 2}, {2}, {}, {1, 2}, 2, kPreferred, false, 2, kInSync},
      {"preferred not live", {1, 2}, {1, 2}, {}, {2}, 2, kPreferred, false, 2, kInSync},
      {"ISR before ELR", {1, 2, 3}, {3}, {1}, {1, 3}, 0, kKeep, false, 3, kInSync},
      {"ELR when the ISR is dead",
       {1, 2, 3},
       {3},
       {2},
       {1, 2},
       3,
       kKeep,
       true,
       2,
       Ground::kEligible},
      {"nobody eligible", {1, 2, 3}, {3}, {2}, {1}, 3, kKeep, false, 0, kInSync},
      {"unclean", {1, 2, 3}, {3}, {2}, {1}, 3, kKeep, true, 1, Ground::kUnclean},
      {"unclean but nobody live", {1, 2}, {1}, {}, {}, 1, kKeep, true, 0, kInSync},
  };
  for (const Row& row : rows) {
    const auto replicas = ids(row.replicas);
    const auto isr = ids(row.isr);
    const auto elr = ids(row.elr);
    const auto chosen = choose_leader(
        {.replicas = replicas,
         .isr = isr,
         .elr = elr,
         .leader = row.leader == 0 ? std::nullopt : std::optional(base::BrokerId(row.leader)),
         .live =
             [&](base::BrokerId id) {
               return std::ranges::find(row.live, id.value()) != row.live.end();
             },
         .wish = row.wish,
         .unclean = row.unclean});
    EXPECT_EQ(chosen ? chosen->leader.value() : 0, row.chosen) << row.what;
    if (chosen) EXPECT_EQ(chosen->ground, row.ground) << row.what;
  }
}

}  // namespace
}  // namespace controller::place
