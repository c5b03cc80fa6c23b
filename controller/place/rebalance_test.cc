#include "controller/place/rebalance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/base/random.h"
#include "controller/place/spread.h"

namespace controller::place {
namespace {

Row row(const std::vector<int>& values) {
  Row out;
  for (int value : values) out.push_back(base::BrokerId(value));
  return out;
}

// Seats that count what the rows hold. Rack of broker b: b % racks.
std::vector<Seat> seats(int brokers, int racks, const std::vector<Row>& rows) {
  std::vector<Seat> out;
  for (int b = 0; b < brokers; ++b) {
    Seat seat{.id = base::BrokerId(b), .rack = "r" + std::to_string(b % racks)};
    for (const Row& each : rows) {
      seat.replicas += std::ranges::count(each, seat.id);
      seat.preferred += each.front() == seat.id;
    }
    out.push_back(seat);
  }
  return out;
}

// Asks for plans and carries them out until there is nothing left; fails when that takes for ever.
std::vector<Row> settle(std::vector<Row> rows, int brokers, int racks, std::size_t moves_max) {
  for (int round = 0; round < 1000; ++round) {
    const auto plan = rebalance(seats(brokers, racks, rows), rows, moves_max);
    EXPECT_LE(plan.size(), moves_max);
    if (plan.empty()) return rows;
    for (const Move& move : plan) rows[move.partition] = move.to;
  }
  ADD_FAILURE() << "it never ends";
  return rows;
}

// Goal: the heir is open, new to the partition, in another rack if possible, the emptiest of those.
TEST(Rebalance, Heir) {
  std::vector<Seat> all = {{.id = base::BrokerId(1), .rack = "a", .replicas = 5},
                           {.id = base::BrokerId(2), .rack = "b", .replicas = 5},
                           {.id = base::BrokerId(3), .rack = "c", .replicas = 9},
                           {.id = base::BrokerId(4), .rack = "b", .replicas = 1},
                           {.id = base::BrokerId(5), .rack = "a", .replicas = 2}};
  EXPECT_EQ(heir(all, row({1, 2}), base::BrokerId(1)), base::BrokerId(5));
  EXPECT_EQ(heir(all, row({1, 2}), base::BrokerId(2)), base::BrokerId(4));
  all[3].open = false;
  EXPECT_EQ(heir(all, row({1, 2}), base::BrokerId(2)), base::BrokerId(3));
  EXPECT_EQ(heir(all, row({1, 2, 3, 5}), base::BrokerId(2)), std::nullopt);
}

// Goal: after a broker is added everything evens out, racks stay crossed, and the plan ends.
TEST(Rebalance, EvensOutOverNewBroker) {
  std::vector<Candidate> three;
  for (int b = 0; b < 3; ++b) three.push_back({base::BrokerId(b), "r" + std::to_string(b % 2)});
  auto rows = settle(spread(three, 24, 2, 0), 4, 2, 3);
  for (const Seat& seat : seats(4, 2, rows)) {
    EXPECT_EQ(seat.replicas, 12) << seat.id.value();
    EXPECT_NEAR(static_cast<double>(seat.preferred), 6, 1) << seat.id.value();
  }
  for (const Row& each : rows) EXPECT_NE(each[0].value() % 2, each[1].value() % 2);
}

// Goal: replicas that share a rack are taken apart before anything else.
TEST(Rebalance, RacksFirst) {
  const std::vector<Row> rows = {row({0, 1}), row({0, 2}), row({0, 2})};  // racks: 0, 1, 0
  const auto plan = rebalance(seats(3, 2, rows), rows, 1);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].partition, 1u);
  EXPECT_EQ(plan[0].to, row({0, 1}));
}

// Goal: from any start it ends, and is even then. Method: random clusters.
TEST(Rebalance, AlwaysEnds) {
  base::Random random(7);
  for (int i = 0; i < 60; ++i) {
    const int brokers = static_cast<int>(random.between(2, 7));
    const int racks = static_cast<int>(random.between(1, brokers + 1));
    std::vector<Row> rows;
    for (int p = 0; p < 20; ++p) {
      Row each;
      const auto factor = random.between(1, std::min(brokers, 3) + 1);
      while (each.size() < static_cast<std::size_t>(factor)) {
        const base::BrokerId id(static_cast<int>(random.between(0, brokers)));
        if (std::ranges::find(each, id) == each.end()) each.push_back(id);
      }
      rows.push_back(each);
    }
    const auto settled = settle(rows, brokers, racks, 5);
    for (std::size_t p = 0; p < rows.size(); ++p) {
      ASSERT_EQ(settled[p].size(), rows[p].size());
      ASSERT_EQ(std::set(settled[p].begin(), settled[p].end()).size(), rows[p].size());
    }
    if (racks == 1) {
      const auto held = seats(brokers, racks, settled);
      const auto [least, most] = std::ranges::minmax(held, {}, &Seat::replicas);
      ASSERT_LE(most.replicas - least.replicas, 1);
    }
  }
}

// Goal: what must not move does not, and a broker without a seat is left alone.
TEST(Rebalance, LeavesFixedRowsAlone) {
  std::vector<Row> rows = {row({0}), row({0}), row({0}), row({0})};
  const auto counts = seats(2, 1, rows);
  rows[0] = {};
  rows[1] = row({9});
  for (const Move& move : rebalance(counts, rows, 9)) EXPECT_GE(move.partition, 2u);
}

}  // namespace
}  // namespace controller::place
