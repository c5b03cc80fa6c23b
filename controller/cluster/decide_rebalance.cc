// Evening out what the brokers hold: asked for, or because a broker was added. It goes on by
// itself, a few moves at a time, and rests while the cluster is not well.
#include <algorithm>

#include "common/base/mutant.h"
#include "controller/cluster/movement.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

constexpr int kRebalanceMovesMax = 1000;

void set_balancing(bool active, const meta::Image& image, std::vector<proto::Record>& out) {
  if (image.balancing() == active) return;
  out.emplace_back().mutable_balancing()->set_active(active);
}

// Why nothing should move now; empty when nothing is in the way. Moves cost what a cluster in
// trouble needs, and what is not in sync cannot be given up.
std::string waits_for(const meta::Image& image) {
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->live()) continue;
    if (MUTANT("balance-never-waits")) continue;
    return "broker " + std::to_string(id.value()) + (broker->fenced ? " is away" : " is ending");
  }
  int behind = 0;
  for (const auto& [name, topic] : image.topics()) {
    for (const meta::Partition& partition : topic->partitions) {
      const Replicas wanted = without(partition.replicas, partition.adding);
      const bool whole = without(wanted, partition.isr).empty();
      behind += partition.leader == meta::kNoBroker || !whole;
    }
  }
  if (behind == 0 || MUTANT("balance-never-waits")) return "";
  return std::to_string(behind) + " partition(s) with replicas that are not in sync";
}

std::int64_t bytes_under_way(const meta::Image& image, const ReplicaSizes& sizes) {
  std::int64_t bytes = 0;
  for (const auto& [name, topic] : image.topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      bytes += bytes_to_copy(topic->id, ++index, partition, sizes);
    }
  }
  return bytes;
}

struct Planned {
  const meta::Topic* topic;
  std::int32_t index;
  Replicas to;
};

std::vector<Planned> plan(const meta::Image& image, const ReplicaSizes& sizes, int moves_max) {
  std::vector<Planned> places;
  std::vector<place::Row> rows;
  place::Sizes bytes;
  auto seats = seats_of(image);
  const bool known = sizes.complete(image);
  for (const auto& [name, topic] : image.topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      places.push_back({topic.get(), ++index, {}});
      // One that lacks a leader or a member in sync has other worries.
      const bool may_move = !is_moving(partition) && partition.leader != meta::kNoBroker &&
                            partition.isr.size() == partition.replicas.size();
      rows.push_back(may_move ? partition.replicas : place::Row());
      if (!known) continue;
      bytes.push_back(sizes.of(topic->id, index, partition));
      for (const base::BrokerId id : destination(partition)) {
        const auto seat = std::ranges::find(seats, id, &place::Seat::id);
        if (seat != seats.end()) seat->bytes += bytes.back();
      }
    }
  }
  std::vector<Planned> out;
  for (const place::Move& move :
       place::rebalance(std::move(seats), std::move(rows), bytes,
                        static_cast<std::size_t>(std::max(0, moves_max)))) {
    out.push_back({places[move.partition].topic, places[move.partition].index, move.to});
  }
  return out;
}

void begin(const Planned& planned, const meta::Image& image, const Settings& settings,
           std::vector<proto::Record>& out) {
  auto record = move_to(*planned.topic, planned.index, planned.to, image, settings);
  if (record) out.push_back(std::move(*record));
}

}  // namespace

Decision<proto::RebalanceReply> rebalance(const proto::RebalanceRequest& request,
                                          const meta::Image& image, const Settings& settings,
                                          const ReplicaSizes& sizes) {
  Decision<proto::RebalanceReply> out;
  int moves = request.moves_max() > 0 ? std::min(request.moves_max(), kRebalanceMovesMax)
                                      : settings.moves_at_once;
  out.reply.set_waits_for(waits_for(image));
  out.reply.set_balancing(!request.pause() && (request.execute() || image.balancing()));
  set_balancing(out.reply.balancing(), image, out.records);
  const bool begins = request.execute() && out.reply.waits_for().empty();
  if (begins) moves = std::max(0, moves - moving_count(image));
  const bool known = sizes.complete(image);
  std::int64_t bytes_left = known ? bytes_under_way(image, sizes) : 0;
  for (const Planned& each : plan(image, sizes, moves)) {
    auto* told = out.reply.add_moves();
    told->set_topic(each.topic->name);
    told->set_partition(each.index);
    const meta::Partition& now = each.topic->partitions[static_cast<std::size_t>(each.index)];
    for (base::BrokerId id : now.replicas) told->add_from(id.value());
    for (base::BrokerId id : each.to) told->add_to(id.value());
    const auto added = static_cast<std::int64_t>(without(each.to, now.replicas).size());
    bytes_left += added * sizes.of(each.topic->id, each.index, now);
    if (begins) begin(each, image, settings, out.records);
  }
  if (known) *out.reply.mutable_progress() = progress_of(bytes_left, sizes);
  return out;
}

std::vector<proto::Record> rebalance_step(const meta::Image& image, const Settings& settings,
                                          const ReplicaSizes& sizes) {
  std::vector<proto::Record> out;
  if (!image.balancing() || !waits_for(image).empty()) return out;
  const int moving = MUTANT("balance-counts-no-moves") ? 0 : moving_count(image);
  if (moving >= settings.moves_at_once) return out;
  const auto next = plan(image, sizes, settings.moves_at_once - moving);
  for (const Planned& each : next) begin(each, image, settings, out);
  if (!next.empty() || moving > 0 || sizes.awaited(image)) return out;
  // Who holds its share leads its share too: the moves alone leave the old leaders in place.
  out = balance_step(image, settings);
  if (out.empty()) set_balancing(false, image, out);
  return out;
}

}  // namespace controller::cluster
