#include "controller/place/rebalance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

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
    const auto plan = rebalance(seats(brokers, racks, rows), rows, {}, moves_max);
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
  const auto plan = rebalance(seats(3, 2, rows), rows, {}, 1);
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
  for (const Move& move : rebalance(counts, rows, {}, 9)) EXPECT_GE(move.partition, 2u);
}

// ---- bytes

constexpr std::int64_t kMiB = 1 << 20;

// Rows and the size of a replica of each.
struct Loaded {
  int brokers;
  int racks;
  std::vector<Row> rows;
  Sizes sizes;

  std::vector<Seat> weighed() const {
    std::vector<Seat> out = seats(brokers, racks, rows);
    for (std::size_t p = 0; p < rows.size(); ++p) {
      for (const base::BrokerId id : rows[p]) {
        std::ranges::find(out, id, &Seat::id)->bytes += sizes[p];
      }
    }
    return out;
  }
  std::vector<Move> plan(std::size_t moves_max = 8) const {
    return rebalance(weighed(), rows, sizes, moves_max);
  }
  // Carries out what is planned.
  std::size_t step(std::size_t moves_max = 8) {
    const auto moves = plan(moves_max);
    EXPECT_LE(moves.size(), moves_max);
    for (const Move& move : moves) rows[move.partition] = move.to;
    return moves.size();
  }
  std::int64_t apart() const {
    const auto all = weighed();
    const auto [least, most] = std::ranges::minmax(all, {}, &Seat::bytes);
    return most.bytes - least.bytes;
  }
  // How uneven what comes before bytes is: racks that rows cross, replicas, preferred leaders.
  std::tuple<std::int64_t, std::int64_t, std::int64_t> unevenness() const {
    std::int64_t crossed = 0;
    for (const Row& each : rows) {
      std::set<int> seen;
      for (const base::BrokerId id : each) seen.insert(id.value() % racks);
      crossed += static_cast<std::int64_t>(seen.size());
    }
    std::int64_t replicas = 0;
    std::int64_t preferred = 0;
    for (const Seat& each : weighed()) {
      replicas += each.replicas * each.replicas;
      preferred += each.preferred * each.preferred;
    }
    return {-crossed, replicas, preferred};
  }
};

Loaded random_loaded(base::Random& random) {
  Loaded out;
  out.brokers = static_cast<int>(random.between(2, 7));
  out.racks = static_cast<int>(random.between(1, out.brokers + 1));
  std::vector<Candidate> candidates;
  for (int b = 0; b < out.brokers; ++b) {
    candidates.push_back({base::BrokerId(b), "r" + std::to_string(b % out.racks)});
  }
  const auto factor = static_cast<std::size_t>(random.between(1, std::min(out.brokers, 3) + 1));
  out.rows = settle(spread(candidates, 24, factor, 0), out.brokers, out.racks, 50);
  for (std::size_t p = 0; p < out.rows.size(); ++p) {
    const std::int64_t most = random.chance(1, 4) ? 20'000 : 500;
    out.sizes.push_back(random.between(0, most) * kMiB);
  }
  return out;
}

// Goal: with replicas and leaders even, a large replica is swapped with a small one; with no room
// for both moves, or where sizes are not known, nothing is. Method: one broker has all that is
// large.
TEST(RebalanceBytes, SwapsLargeWithSmall) {
  Loaded loaded{2, 1, {row({0}), row({0}), row({1}), row({1})}, {}};
  loaded.sizes = {1000 * kMiB, 1000 * kMiB, 10 * kMiB, 10 * kMiB};
  const auto plan = loaded.plan();
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].to, row({1}));
  EXPECT_EQ(plan[1].to, row({0}));
  EXPECT_GE(loaded.sizes[plan[0].partition] - loaded.sizes[plan[1].partition], 900 * kMiB);
  EXPECT_TRUE(loaded.plan(1).empty());
  EXPECT_TRUE(rebalance(loaded.weighed(), loaded.rows, {}, 8).empty());
}

// Goal: brokers come before bytes: a broker that has too few replicas gets one, not a swap.
TEST(RebalanceBytes, ComesLast) {
  const Loaded loaded{2, 1, {row({0}), row({0}), row({0}), row({1})}, Sizes(4, 900 * kMiB)};
  EXPECT_EQ(loaded.plan(1).size(), 1u);
  const Loaded even{2, 1, {row({0}), row({0}), row({1}), row({1})}, Sizes(4, 900 * kMiB)};
  EXPECT_TRUE(even.plan().empty());
}

// Goal: what is nearly even is left alone, and so is what no swap makes better.
TEST(RebalanceBytes, LeavesWhatIsEvenEnough) {
  const std::vector<Row> rows = {row({0}), row({0}), row({1}), row({1})};
  const auto moves = [&](const Sizes& sizes) { return Loaded{2, 1, rows, sizes}.plan().size(); };
  EXPECT_EQ(moves({540 * kMiB, 500 * kMiB, 500 * kMiB, 500 * kMiB}), 0u) << "of a large mean";
  EXPECT_EQ(moves({30 * kMiB, 30 * kMiB, kMiB, kMiB}), 0u) << "hardly anything";
  EXPECT_EQ(moves({900 * kMiB, 900 * kMiB, 700 * kMiB, 700 * kMiB}), 2u);
  EXPECT_EQ((Loaded{2, 1, {row({0}), row({1})}, {9000 * kMiB, kMiB}}.plan().size()), 0u)
      << "the other way round is no better";
}

// Goal: it ends from any start, never makes worse what comes before bytes (a swap may open a way to
// make it better), and the fullest and the emptiest come nearer to each other. Method: random
// clusters of one rack or several.
TEST(RebalanceBytes, EndsAndKeepsWhatComesBefore) {
  base::Random random(11);
  double before_all = 0;
  double after_all = 0;
  for (int i = 0; i < 60; ++i) {
    Loaded loaded = random_loaded(random);
    auto uneven = loaded.unevenness();
    const std::int64_t before = loaded.apart();
    int rounds = 0;
    while (loaded.step(4) > 0) {
      ASSERT_LT(++rounds, 200) << "it never ends";
      ASSERT_LE(loaded.unevenness(), uneven);
      uneven = loaded.unevenness();
    }
    EXPECT_LE(loaded.apart(), before);
    before_all += static_cast<double>(before);
    after_all += static_cast<double>(loaded.apart());
  }
  EXPECT_LT(after_all, before_all / 2);
}

// Goal: sizes that go up and down a little, as retention has it, move nothing to and fro. Method:
// random clusters that have settled, then many looks at sizes that are some percent off.
TEST(RebalanceBytes, DoesNotSwing) {
  base::Random random(12);
  for (int i = 0; i < 10; ++i) {
    Loaded loaded = random_loaded(random);
    while (loaded.step() > 0) {
    }
    const Sizes settled = loaded.sizes;
    std::size_t early = 0;
    std::size_t late = 0;
    for (int look = 0; look < 400; ++look) {
      for (std::size_t p = 0; p < settled.size(); ++p) {
        loaded.sizes[p] = settled[p] / 100 * random.between(99, 102);
      }
      (look < 200 ? early : late) += loaded.step();
    }
    EXPECT_LE(early, 12u) << i;  // of what had settled at the very edge
    EXPECT_EQ(late, 0u) << i;
  }
}

}  // namespace
}  // namespace controller::place
