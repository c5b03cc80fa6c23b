// Where replicas should move to. Pure, and bounded: a plan is a few moves, not the whole way; asked
// again after them it goes on, and it ends, since every move makes something better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace controller::place {

struct Seat {
  base::BrokerId id;
  std::string rack;
  bool open = true;  // new replicas may be placed there
  std::int64_t replicas = 0;
  std::int64_t preferred = 0;  // partitions whose first replica it is
  std::int64_t bytes = 0;      // of its replicas, as far as that is known
};

using Row = std::vector<base::BrokerId>;  // replicas of one partition, preferred leader first
using Sizes = std::vector<std::int64_t>;  // bytes of a replica of each row

// Who takes over the replica of `leaving`: open, without a replica of this partition, in a rack
// that none of the others stands in if there is such a one, with the fewest replicas.
std::optional<base::BrokerId> heir(const std::vector<Seat>& seats, const Row& replicas,
                                   base::BrokerId leaving);

struct Move {
  std::size_t partition = 0;  // index of its row
  Row to;
};

// Brokers hold bytes evenly enough when the fullest has no more than this, or no more than an
// eighth of the mean, above the emptiest: moving would cost more than it gains.
inline constexpr std::int64_t kBytesApart = 64 << 20;

// Racks first: no two replicas of a partition in one rack while another rack has none. Then
// brokers: replicas evenly, without making racks worse. Then leaders: preferred ones evenly, by the
// order of replicas alone. Then bytes, by swaps of two replicas (two moves) that leave all of the
// former as it is. `rows` of partitions that must not move now are empty; what they hold is in the
// seats' counts. `sizes`: of the rows; empty when they are not known, then bytes do not count.
std::vector<Move> rebalance(std::vector<Seat> seats, std::vector<Row> rows, const Sizes& sizes,
                            std::size_t moves_max);

}  // namespace controller::place
