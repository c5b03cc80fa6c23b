#include "controller/place/rebalance.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "common/base/mutant.h"

namespace controller::place {
namespace {

// Of the fullest and of the emptiest brokers so many are looked at for a swap, and of the
// partitions of about the right size so many to either side; a plan has so many swaps. More would
// find little, and the planner runs on the controller's only thread.
constexpr std::size_t kEnds = 4;
constexpr std::ptrdiff_t kLookAround = 8;
constexpr int kSwapsMax = 16;

bool contains(const Row& row, base::BrokerId id) { return std::ranges::find(row, id) != row.end(); }

const Seat* find(const std::vector<Seat>& seats, base::BrokerId id) {
  auto found = std::ranges::find(seats, id, &Seat::id);
  return found == seats.end() ? nullptr : &*found;
}

std::set<std::string> racks_of(const std::vector<Seat>& seats, const Row& row,
                               std::optional<base::BrokerId> except = std::nullopt) {
  std::set<std::string> racks;
  for (base::BrokerId id : row) {
    const Seat* seat = find(seats, id);
    if (seat && id != except) racks.insert(seat->rack);
  }
  return racks;
}

class Planner {
 public:
  Planner(std::vector<Seat> seats, std::vector<Row> rows, const Sizes& sizes, std::size_t moves_max)
      : seats_(std::move(seats)),
        rows_(std::move(rows)),
        sizes_(sizes),
        moved_(rows_.size(), false),
        moves_max_(moves_max) {}

  std::vector<Move> plan() {
    spread_racks();
    while (!full() && even_replicas()) {
    }
    while (!full() && even_leaders()) {
    }
    // What comes before is even now, or cannot be: a swap leaves it as it is.
    if (!sizes_.empty()) even_bytes();
    return std::move(moves_);
  }

 private:
  bool full() const { return moves_.size() >= moves_max_; }
  Seat& seat(base::BrokerId id) { return *std::ranges::find(seats_, id, &Seat::id); }

  void move(std::size_t partition, Row to) {
    for (base::BrokerId id : rows_[partition]) {
      --seat(id).replicas;
      seat(id).bytes -= size(partition);
    }
    for (base::BrokerId id : to) {
      ++seat(id).replicas;
      seat(id).bytes += size(partition);
    }
    --seat(rows_[partition].front()).preferred;
    ++seat(to.front()).preferred;
    rows_[partition] = to;
    moved_[partition] = true;
    moves_.push_back({partition, std::move(to)});
  }
  // May the row change at all? A broker that is gone for good has no seat.
  bool movable(std::size_t partition) const {
    const Row& row = rows_[partition];
    return !moved_[partition] && !row.empty() &&
           std::ranges::all_of(row, [&](base::BrokerId id) { return find(seats_, id); });
  }

  void spread_racks() {
    for (std::size_t p = 0; p < rows_.size() && !full(); ++p) {
      if (!movable(p)) continue;
      std::set<std::string> seen;
      for (std::size_t i = 0; i < rows_[p].size(); ++i) {
        if (seen.insert(seat(rows_[p][i]).rack).second) continue;
        const auto next = heir(seats_, rows_[p], rows_[p][i]);
        if (!next || racks_of(seats_, rows_[p]).contains(seat(*next).rack)) continue;
        Row to = rows_[p];
        to[i] = *next;
        move(p, std::move(to));
        break;  // one replica at a time
      }
    }
  }

  // Moves one replica from a fuller broker to an emptier one; false when nothing can be better.
  bool even_replicas() {
    std::vector<base::BrokerId> by_load;
    for (const Seat& each : seats_) {
      if (each.open) by_load.push_back(each.id);
    }
    std::ranges::sort(by_load, [&](base::BrokerId a, base::BrokerId b) {
      return std::pair(seat(a).replicas, a) < std::pair(seat(b).replicas, b);
    });
    for (auto from = by_load.rbegin(); from != by_load.rend(); ++from) {
      for (base::BrokerId to : by_load) {
        if (seat(*from).replicas - seat(to).replicas < 2) break;
        if (move_one(*from, to)) return true;
      }
    }
    return false;
  }
  bool move_one(base::BrokerId from, base::BrokerId to) {
    for (std::size_t p = 0; p < rows_.size(); ++p) {
      if (!movable(p) || !contains(rows_[p], from) || contains(rows_[p], to)) continue;
      Row row = rows_[p];
      std::ranges::replace(row, from, to);
      if (racks_of(seats_, row).size() < racks_of(seats_, rows_[p]).size() &&
          !MUTANT("balance-mixes-racks")) {
        continue;
      }
      move(p, std::move(row));
      return true;
    }
    return false;
  }

  bool even_leaders() {
    for (std::size_t p = 0; p < rows_.size(); ++p) {
      if (!movable(p)) continue;
      const Row& row = rows_[p];
      auto least = std::ranges::min_element(row, [&](base::BrokerId a, base::BrokerId b) {
        return std::pair(!seat(a).open, seat(a).preferred) <
               std::pair(!seat(b).open, seat(b).preferred);
      });
      if (!seat(*least).open) continue;
      if (seat(row.front()).preferred - seat(*least).preferred < 2) continue;
      Row to = row;
      std::swap(to.front(), to[static_cast<std::size_t>(least - row.begin())]);
      move(p, std::move(to));
      return true;
    }
    return false;
  }

  // ---- bytes

  std::int64_t size(std::size_t partition) const {
    return partition < sizes_.size() ? sizes_[partition] : 0;
  }

  void even_bytes() {
    for (std::size_t p = 0; p < rows_.size(); ++p) {
      if (!movable(p)) continue;
      for (base::BrokerId id : rows_[p]) held_[id][rows_[p].front() == id].push_back(p);
    }
    for (auto& [id, both] : held_) {
      for (auto& each : both) {
        std::ranges::sort(each, {}, [&](std::size_t p) { return std::pair(size(p), p); });
      }
    }
    for (int i = 0; i < kSwapsMax && moves_.size() + 2 <= moves_max_ && swap_any(); ++i) {
    }
  }

  // One swap between one of the fullest and one of the emptiest; false when nothing can be better.
  bool swap_any() {
    std::vector<base::BrokerId> by_bytes;
    std::int64_t total = 0;
    for (const Seat& each : seats_) {
      if (!each.open) continue;
      by_bytes.push_back(each.id);
      total += each.bytes;
    }
    if (by_bytes.empty()) return false;
    std::ranges::sort(by_bytes, {}, [&](auto id) { return std::pair(seat(id).bytes, id); });
    const auto count = static_cast<std::int64_t>(by_bytes.size());
    const std::int64_t apart_max = std::max(kBytesApart, total / count / 8);
    const std::size_t ends = std::min(kEnds, by_bytes.size());
    for (std::size_t i = 1; i <= ends; ++i) {
      const base::BrokerId from = by_bytes[by_bytes.size() - i];
      for (std::size_t j = 0; j < ends; ++j) {
        const base::BrokerId to = by_bytes[j];
        if (seat(from).bytes - seat(to).bytes <= apart_max) break;
        if (swap_between(from, to)) return true;
      }
    }
    return false;
  }

  struct Swap {
    std::size_t given;
    std::size_t taken;
    std::int64_t apart;  // afterwards
  };
  // Afterwards the two are nearer to each other by at least a quarter, so that it is worth the
  // copying, and ends.
  bool swap_between(base::BrokerId from, base::BrokerId to) {
    const std::int64_t apart = seat(from).bytes - seat(to).bytes;
    std::optional<Swap> best;
    for (const bool leads : {false, true}) {  // a leader for a leader: they stay even
      for (const std::size_t p : held_[from][leads]) {
        if (!movable(p) || contains(rows_[p], to)) continue;
        const auto found = best_for(p, from, to, held_[to][leads], apart);
        if (found && (!best || found->apart < best->apart)) best = found;
      }
    }
    if (!best || best->apart > apart - apart / 4) return false;
    move(best->given, replaced(best->given, from, to));
    move(best->taken, replaced(best->taken, to, from));
    return true;
  }
  // What `from` best takes for `p`: about that much smaller which would make the two equal.
  std::optional<Swap> best_for(std::size_t p, base::BrokerId from, base::BrokerId to,
                               const std::vector<std::size_t>& held, std::int64_t apart) const {
    const auto at = std::ranges::lower_bound(held, size(p) - apart / 2, {},
                                             [&](std::size_t q) { return size(q); });
    const auto begin = at - std::min(at - held.begin(), kLookAround);
    const auto end = at + std::min(held.end() - at, kLookAround);
    std::optional<Swap> best;
    for (auto q = begin; q != end; ++q) {
      const std::int64_t left = std::abs(apart - 2 * (size(p) - size(*q)));
      if ((best && left >= best->apart) || !may_swap(p, from, *q, to)) continue;
      best = Swap{.given = p, .taken = *q, .apart = left};
    }
    return best;
  }
  bool may_swap(std::size_t p, base::BrokerId from, std::size_t q, base::BrokerId to) const {
    if (!movable(q) || contains(rows_[q], from)) return false;
    const auto racks = [&](const Row& row) { return racks_of(seats_, row).size(); };
    return racks(replaced(p, from, to)) >= racks(rows_[p]) &&
           racks(replaced(q, to, from)) >= racks(rows_[q]);
  }
  Row replaced(std::size_t partition, base::BrokerId before, base::BrokerId after) const {
    Row row = rows_[partition];
    std::ranges::replace(row, before, after);
    return row;
  }

  std::vector<Seat> seats_;
  std::vector<Row> rows_;
  const Sizes& sizes_;
  // Partitions that may move, of a broker; of them those that it does not lead and those that it
  // does; by size.
  std::map<base::BrokerId, std::array<std::vector<std::size_t>, 2>> held_;
  std::vector<bool> moved_;
  std::size_t moves_max_;
  std::vector<Move> moves_;
};

}  // namespace

std::optional<base::BrokerId> heir(const std::vector<Seat>& seats, const Row& replicas,
                                   base::BrokerId leaving) {
  const std::set<std::string> taken = racks_of(seats, replicas, leaving);
  const Seat* best = nullptr;
  const auto rank = [&](const Seat& seat) {
    return std::tuple(taken.contains(seat.rack), seat.replicas, seat.id);
  };
  for (const Seat& seat : seats) {
    if (!seat.open || contains(replicas, seat.id)) continue;
    if (!best || rank(seat) < rank(*best)) best = &seat;
  }
  return best ? std::optional(best->id) : std::nullopt;
}

std::vector<Move> rebalance(std::vector<Seat> seats, std::vector<Row> rows, const Sizes& sizes,
                            std::size_t moves_max) {
  return Planner(std::move(seats), std::move(rows), sizes, moves_max).plan();
}

}  // namespace controller::place
