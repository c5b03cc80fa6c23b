#include "tests/sim/cluster/move_watch.h"

#include <algorithm>
#include <set>
#include <string>

namespace sim {
namespace {

constexpr int kMovesAtOnce = 8;  // as docs/replication.md says

std::string name_of(const meta::Topic& topic, std::size_t index) {
  return topic.name + "-" + std::to_string(index);
}

bool is_moving(const meta::Partition& partition) {
  return !partition.adding.empty() || !partition.removing.empty();
}

// All that nothing should move for: brokers that are away, replicas that are not in sync.
std::set<std::string> troubles_of(const meta::Image& image) {
  std::set<std::string> out;
  for (const auto& [id, broker] : image.brokers()) {
    if (!broker->live()) out.insert("broker " + std::to_string(id.value()) + " is away");
  }
  for (const auto& [name, topic] : image.topics()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const meta::Partition& partition = topic->partitions[i];
      for (const base::BrokerId id : partition.replicas) {
        const bool is_new = std::ranges::find(partition.adding, id) != partition.adding.end();
        if (is_new || std::ranges::find(partition.isr, id) != partition.isr.end()) continue;
        out.insert(std::to_string(id.value()) + " is not in sync in " + name_of(*topic, i));
      }
    }
  }
  return out;
}

bool some_drain(const meta::Image& image) {
  return std::ranges::any_of(image.brokers(),
                             [](const auto& each) { return each.value->draining; });
}

}  // namespace

MoveWatch::MoveWatch(Cluster& cluster, std::size_t replicas)
    : cluster_(cluster), replicas_(replicas) {
  cluster_.world.after_each([this] { look(); });
}

void MoveWatch::look() {
  for (const auto& each : cluster_.controllers) {
    if (!each->leading()) continue;
    const meta::ImagePtr now = each->controller()->image();
    // One that was replaced and does not know has nothing new to tell.
    if (seen_ != nullptr && now->offset() <= seen_->offset()) continue;
    check_each(*now);
    // What another leader has decided is seen all at once: not who began what when.
    if (seen_ != nullptr && leader_ == each.get()) check_begun(*seen_, *now);
    leader_ = each.get();
    seen_ = now;
  }
}

void MoveWatch::check_each(const meta::Image& now) {
  int moving = 0;
  for (const auto& [name, topic] : now.topics()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const meta::Partition& partition = topic->partitions[i];
      moving += is_moving(partition) ? 1 : 0;
      const std::size_t after = partition.replicas.size() - partition.removing.size();
      if (after != replicas_) {
        cluster_.facts.wrong(name_of(*topic, i) + " is to have " + std::to_string(after) +
                             " replicas");
      }
    }
  }
  if (moving > kMovesAtOnce) {
    cluster_.facts.wrong(std::to_string(moving) + " partitions move at once");
  }
}

void MoveWatch::check_begun(const meta::Image& before, const meta::Image& now) {
  std::string begun;
  for (const auto& [name, topic] : now.topics()) {
    const meta::Topic* former = before.topic(name);
    if (former == nullptr) continue;
    for (std::size_t i = 0; i < former->partitions.size(); ++i) {
      if (is_moving(former->partitions[i]) || !is_moving(topic->partitions[i])) continue;
      ++begun_;
      begun = name_of(*topic, i);
      cluster_.world.trace("moves", begun);
    }
  }
  // Who drains a broker may have no other choice.
  if (begun.empty() || some_drain(before) || some_drain(now)) return;
  const auto then = troubles_of(before);
  for (const std::string& each : troubles_of(now)) {
    if (then.contains(each)) return cluster_.facts.wrong(begun + " begins to move while " + each);
  }
}

}  // namespace sim
