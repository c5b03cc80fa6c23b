#include "controller/place/rebalance.h"

#include <algorithm>
#include <map>
#include <set>

namespace controller::place {
namespace {

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
  Planner(std::vector<Seat> seats, std::vector<Row> rows, std::size_t moves_max)
      : seats_(std::move(seats)),
        rows_(std::move(rows)),
        moved_(rows_.size(), false),
        moves_max_(moves_max) {}

  std::vector<Move> plan() {
    spread_racks();
    while (!full() && even_replicas()) {
    }
    while (!full() && even_leaders()) {
    }
    return std::move(moves_);
  }

 private:
  bool full() const { return moves_.size() >= moves_max_; }
  Seat& seat(base::BrokerId id) { return *std::ranges::find(seats_, id, &Seat::id); }

  void move(std::size_t partition, Row to) {
    for (base::BrokerId id : rows_[partition]) --seat(id).replicas;
    for (base::BrokerId id : to) ++seat(id).replicas;
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
      if (racks_of(seats_, row).size() < racks_of(seats_, rows_[p]).size()) continue;
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

  std::vector<Seat> seats_;
  std::vector<Row> rows_;
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

std::vector<Move> rebalance(std::vector<Seat> seats, std::vector<Row> rows, std::size_t moves_max) {
  return Planner(std::move(seats), std::move(rows), moves_max).plan();
}

}  // namespace controller::place
