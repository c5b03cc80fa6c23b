#include "controller/cluster/movement.h"

#include <map>

namespace controller::cluster {

std::vector<place::Seat> seats_of(const meta::Image& image) {
  std::map<base::BrokerId, place::Seat> seats;
  for (const auto& [id, broker] : image.brokers()) {
    seats[id] = {.id = id, .rack = broker->rack, .open = broker->live() && !broker->draining};
  }
  for (const auto& [name, topic] : image.topics()) {
    for (const meta::Partition& partition : topic->partitions) {
      const Replicas replicas = destination(partition);
      for (base::BrokerId id : replicas) {
        if (auto seat = seats.find(id); seat != seats.end()) ++seat->second.replicas;
      }
      if (replicas.empty()) continue;
      if (auto seat = seats.find(replicas.front()); seat != seats.end()) ++seat->second.preferred;
    }
  }
  std::vector<place::Seat> out;
  for (auto& [id, seat] : seats) out.push_back(std::move(seat));
  return out;
}

Replicas destination(const meta::Partition& partition) {
  return without(partition.replicas, partition.removing);
}

bool is_moving(const meta::Partition& partition) {
  return !partition.adding.empty() || !partition.removing.empty();
}

int moving_count(const meta::Image& image) {
  int moving = 0;
  for (const auto& [name, topic] : image.topics()) {
    for (const meta::Partition& partition : topic->partitions) moving += is_moving(partition);
  }
  return moving;
}

void reassign(PartitionChange& change, const Replicas& target) {
  const meta::Partition& before = change.before();
  const Replicas original = without(before.replicas, before.adding);
  change.adding = without(target, original);
  change.removing = without(before.replicas, target);
  change.replicas = target;
  change.replicas.insert(change.replicas.end(), change.removing.begin(), change.removing.end());
}

std::optional<proto::Record> move_to(const meta::Topic& topic, std::int32_t index,
                                     const Replicas& target, const meta::Image& image,
                                     const Settings& settings) {
  PartitionChange change(topic, index);
  reassign(change, target);
  return change.decide(Roster(image), TopicRules::of(topic.configs, image, settings));
}

}  // namespace controller::cluster
