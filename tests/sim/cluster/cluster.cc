#include "tests/sim/cluster/cluster.h"

#include <algorithm>
#include <utility>

#include "broker/node/partition.h"
#include "tests/sim/cluster/leader_client.h"

namespace sim {
namespace {

std::string name_of(const broker::Partition& partition, const BrokerMachine& on) {
  return partition.topic() + "-" + std::to_string(partition.index()) + " on " + on.host();
}

// All bytes of a replica's log, from `start` on.
std::string bytes_of(broker::Partition& partition, base::Offset start) {
  return partition.with_log([&](broker::Log& log) {
    std::string all;
    base::Offset from = std::max(start, log.start_offset());
    while (from < log.end_offset()) {
      auto slice = log.read(
          {.from = from, .upper_bound = log.end_offset(), .bytes_max = 1 << 20, .may_block = true});
      if (!slice || slice->bytes.length == 0) break;
      std::string part(slice->bytes.length, '\0');
      auto got = slice->bytes.file->read_at(
          base::MutableBytes(reinterpret_cast<std::byte*>(part.data()), part.size()),
          slice->bytes.position);
      if (!got) break;
      // Whole batches only.
      std::size_t used = 0;
      record::BatchReader batches(base::as_bytes(part));
      while (auto batch = batches.next()) {
        used += batch->bytes().size();
        from = batch->next_offset();
      }
      if (used == 0) break;
      all.append(part, 0, used);
    }
    return all;
  });
}

}  // namespace

Cluster::Cluster(World& at, ClusterOptions options)
    : world(at),
      facts(at),
      rpc(at),
      at_first_(options.brokers_at_first > 0 ? options.brokers_at_first : options.brokers) {
  std::vector<std::int32_t> voters;
  for (std::int32_t id = 1; id <= options.controllers; ++id) voters.push_back(id);
  for (const std::int32_t id : voters) {
    controllers.push_back(std::make_unique<ControllerMachine>(world, rpc, id, voters));
  }
  for (std::int32_t id = 1; id <= options.brokers; ++id) {
    const auto at_rack = static_cast<std::size_t>(id - 1);
    brokers.push_back(std::make_unique<BrokerMachine>(
        world, facts.network, rpc, id, voters,
        at_rack < options.racks.size() ? options.racks[at_rack] : ""));
  }
  looked_at_.resize(brokers.size());
  world.after_each([this] { check_leaders(); });
}

void Cluster::start() {
  for (auto& each : controllers) each->start();
  for (auto& each : brokers) {
    if (each->id() <= at_first_) each->start();
  }
}

void Cluster::heal() {
  facts.network.heal();
  rpc.heal();
  rpc.faults.lost_percent = 0;
  const auto mend = [](auto& machine) {
    // Who has begun with a dead disk does not look at it again.
    const bool dead = !machine.disk.faults.dead.empty();
    machine.disk.faults = {};
    machine.disk.stop_at(std::nullopt);
    if (machine.broken() || dead) machine.crash(true);
    machine.may_fail_to_start = false;
  };
  for (auto& each : controllers) each->thaw();
  for (auto& each : brokers) each->thaw();
  for (auto& each : controllers) mend(*each);
  for (auto& each : brokers) {
    // Nor does one that is starting: which directories it found broken cannot be told yet.
    if (each->up() && !each->serving() && !each->stopping()) each->crash(true);
    mend(*each);
  }
  world.run_until(
      [&] { return std::ranges::none_of(brokers, [](auto& b) { return b->stopping(); }); },
      std::chrono::seconds(30));
  for (auto& each : controllers) {
    if (!each->up()) each->start();
  }
  for (auto& each : brokers) {
    if (!each->up()) each->start();
  }
}

bool Cluster::everybody_serves() const {
  return std::ranges::all_of(brokers, [](const auto& each) { return each->serving(); });
}

std::vector<std::string> Cluster::broker_hosts() const {
  std::vector<std::string> hosts;
  for (const auto& each : brokers) hosts.push_back(each->host());
  return hosts;
}

meta::ImagePtr Cluster::image() const {
  for (const auto& each : controllers) {
    if (each->leading()) return each->controller()->image();
  }
  return nullptr;
}

bool Cluster::fully_replicated(const std::string& topic) const {
  const meta::ImagePtr now = image();
  const meta::Topic* found = now ? now->topic(topic) : nullptr;
  if (found == nullptr) return false;
  for (std::size_t i = 0; i < found->partitions.size(); ++i) {
    const meta::Partition& partition = found->partitions[i];
    if (partition.leader == meta::kNoBroker) return false;
    if (partition.isr.size() != partition.replicas.size()) return false;
    if (!partition.adding.empty() || !partition.removing.empty()) return false;
  }
  return true;
}

void Cluster::check_replicas_equal(const std::string& topic) {
  std::map<std::int32_t, std::vector<std::pair<BrokerMachine*, std::shared_ptr<broker::Partition>>>>
      replicas;
  const meta::ImagePtr now = image();
  const meta::Topic* known = now ? now->topic(topic) : nullptr;
  if (known == nullptr) return facts.wrong("no controller knows " + topic);
  for (auto& each : brokers) {
    const auto table = each->broker()->node().partitions->snapshot();
    const auto* found = table->find(topic);
    if (found == nullptr) continue;
    for (const auto& partition : found->partitions) {
      if (!partition) continue;
      const auto& members =
          known->partitions[static_cast<std::size_t>(partition->index())].replicas;
      // What has moved away may still be there for a moment.
      if (std::ranges::find(members, base::BrokerId(each->id())) == members.end()) continue;
      replicas[partition->index()].emplace_back(each.get(), partition);
    }
  }
  for (auto& [index, copies] : replicas) {
    base::Offset start{0};
    for (auto& [machine, copy] : copies) start = std::max(start, copy->bounds().start);
    const std::string first = bytes_of(*copies.front().second, start);
    for (auto& [machine, copy] : copies) {
      if (bytes_of(*copy, start) == first) continue;
      facts.wrong(name_of(*copy, *machine) + " differs from " +
                  name_of(*copies.front().second, *copies.front().first));
    }
  }
}

void Cluster::describe(const std::string& topic) {
  for (auto& each : brokers) {
    if (!each->broker()) continue;
    const auto table = each->broker()->node().partitions->snapshot();
    const auto* found = table->find(topic);
    if (found == nullptr) continue;
    for (const auto& partition : found->partitions) {
      if (!partition) continue;
      const auto at = partition->bounds();
      const auto number = [](auto value) { return std::to_string(value.value()); };
      world.trace(name_of(*partition, *each),
                  "[" + number(at.start) + ", " + number(at.end) + ") durable " +
                      number(at.durable) + " visible " + number(at.visible) + " leader " +
                      number(at.leader) + " epoch " + number(at.leader_epoch));
    }
  }
}

// At most one broker leads a partition in an epoch, ever. Looks at brokers in which something has
// run since it looked last.
void Cluster::check_leaders() {
  if (world.events() % 4 != 0) return;
  for (std::size_t i = 0; i < brokers.size(); ++i) {
    BrokerMachine& each = *brokers[i];
    if (!each.up() || !each.broker()) continue;
    if (const auto now = each.progress(); std::exchange(looked_at_[i].when, now) == now) continue;
    check_leaders_of(each, looked_at_[i]);
  }
}

void Cluster::check_leaders_of(BrokerMachine& machine, LookedAt& before) {
  const auto table = machine.broker()->node().partitions->snapshot();
  if (table != before.table.lock()) {
    before.replicas.clear();
    for (const auto& [id, topic] : table->by_id) {
      for (const auto& partition : topic->partitions) {
        if (partition) before.replicas.push_back({partition.get(), {}});
      }
    }
    before.table = table;
  }
  for (auto& [partition, led_in] : before.replicas) {
    const auto bounds = partition->bounds();
    if (!bounds.is_leader || led_in == bounds.leader_epoch) continue;
    led_in = bounds.leader_epoch;
    const auto [at, fresh] = leaders_.try_emplace(
        {partition->topic_id(), partition->index(), led_in->value()}, machine.id());
    if (at->second == machine.id()) continue;
    facts.wrong(name_of(*partition, machine) + " leads in epoch " +
                std::to_string(led_in->value()) + ", as " + broker_host(at->second) + " did");
  }
}

}  // namespace sim
