#include "tests/sim/cluster/mischief.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/wire/msg/alter_partition_reassignments_request.h"
#include "common/wire/msg/alter_partition_reassignments_response.h"
#include "controller/node/methods.h"
#include "proto/controller.pb.h"

namespace sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::int32_t kReplicas = 3;

template <class Machine>
void freeze_for(World& world, Machine& machine, base::Duration span) {
  machine.freeze();
  world.after(span, [&machine] { machine.thaw(); });
}

}  // namespace

Mischief::Mischief(Cluster& cluster, std::string topic, std::int32_t partitions)
    : world_(cluster.world),
      cluster_(cluster),
      topic_(std::move(topic)),
      partitions_(partitions),
      random_(world_.random("faults")),
      admin_(world_, cluster.facts.network, "mover"),
      operator_(world_, "operator"),
      victim_(random_.below(cluster.brokers.size())) {
  admin_.patience = seconds(2);
  control::QuorumClient::Members members;
  for (const auto& each : cluster_.controllers) {
    members[each->id()] = cluster_.rpc.connect("operator", each->host(), operator_);
  }
  quorum_ = std::make_unique<control::QuorumClient>(operator_, world_.random("operator's quorum"),
                                                    std::move(members));
}

Mischief::~Mischief() { operator_.kill(); }

void Mischief::start(base::Duration span) {
  active_ = true;
  world_.after(seconds(1), [this] { step(); });
  if (!random_.chance(1, 3)) return;
  world_.after(milliseconds(random_.between(3000, span / milliseconds(1) - 8000)), [this] {
    if (!active_) return;
    calm_ = true;
    stop_restarts_ = true;
    await_calm(200);
  });
}

void Mischief::stop() {
  active_ = false;
  if (draining_ >= 0) resume();
}

BrokerMachine& Mischief::any_broker() {
  return *cluster_.brokers[random_.below(cluster_.brokers.size())];
}
ControllerMachine& Mischief::any_controller() {
  return *cluster_.controllers[random_.below(cluster_.controllers.size())];
}
std::string Mischief::any_host() {
  return random_.chance(1, 2) ? any_broker().host() : any_controller().host();
}

void Mischief::step() {
  if (!active_) return;
  world_.after(milliseconds(random_.between(20, 900)), [this] { step(); });
  if (calm_) return;
  if (random_.chance(1, 3)) {
    harm_controller(any_controller());
  } else if (random_.chance(1, 4)) {
    harm_network();
  } else if (random_.chance(1, 5)) {
    operate();
  } else {
    harm_broker(any_broker());
  }
}

namespace {

template <class Machine>
void mend(Machine& machine) {
  machine.thaw();
  const bool dead = !machine.disk.faults.dead.empty();
  machine.disk.faults = {};
  machine.disk.stop_at(std::nullopt);
  if (machine.broken() || dead) machine.crash(true);
  if (!machine.up()) machine.start();
}

template <class Machine>
bool start_again(Machine& machine, base::Random& random) {
  if (machine.up() && !machine.broken()) return false;
  // What a failed sync left in the page cache is not on the medium: the machine starts anew.
  if (machine.broken()) machine.crash(true);
  // It may find some of its disks still dead.
  if (!machine.disk.faults.dead.empty() && random.chance(1, 3)) {
    machine.start();
  } else if (random.chance(2, 3)) {
    machine.disk.faults = {};
    machine.may_fail_to_start = false;
    machine.start();
  }
  return true;
}

}  // namespace

void Mischief::harm_broker(BrokerMachine& broker) {
  if (start_again(broker, random_)) return;
  auto& disk = broker.disk;
  switch (random_.below(12)) {
    case 0:
      return broker.crash(true);
    case 1:
      return broker.crash(false);
    case 2:
    case 3:
      return disk.stop_at(disk.operations() + random_.below(60));
    case 4:
      broker.may_fail_to_start = true;
      disk.faults.fail_sync = disk.syncs() + random_.below(12);
      return;
    case 5:
      broker.may_fail_to_start = true;
      disk.faults.fail_operation = disk.operations() + random_.below(60);
      return;
    case 6: {
      const auto space = disk.space("/");
      if (!space || disk.faults.capacity_bytes) return disk.faults.capacity_bytes.reset();
      disk.faults.capacity_bytes = space->total_bytes - space->free_bytes + random_.below(6000);
      broker.may_fail_to_start = true;
      return;
    }
    case 7:
      return freeze_for(world_, broker, milliseconds(random_.between(50, 6000)));
    case 8:
      broker.may_fail_to_start = true;
      return broker.lose_directory(random_.chance(1, 2));
    case 9:
      return broker.skew(static_cast<base::WallMs>(random_.between(0, 7'200'000)) - 3'600'000);
    default:
      if (!broker.frozen()) broker.stop();
  }
}

void Mischief::harm_controller(ControllerMachine& controller) {
  if (start_again(controller, random_)) return;
  switch (random_.below(6)) {
    case 0:
      return controller.crash(false);
    case 1:
      return controller.disk.stop_at(controller.disk.operations() + random_.below(20));
    case 2:
      return freeze_for(world_, controller, milliseconds(random_.between(50, 3000)));
    case 3:
      return controller.skew(static_cast<base::WallMs>(random_.between(0, 7'200'000)) - 3'600'000);
    default:
      return controller.crash(true);
  }
}

void Mischief::harm_network() {
  switch (random_.below(4)) {
    case 0:
    case 1:
      cluster_.facts.network.heal();
      cluster_.rpc.heal();
      return;
    case 2: {
      const std::string a = any_host();
      const std::string b = any_host();
      if (a != b) cluster_.facts.network.reset(a, b);
      return;
    }
    default:
      return cut();
  }
}

void Mischief::cut() {
  const std::string a = any_host();
  const std::string b = any_host();
  if (a == b) return;
  if (random_.chance(1, 3)) {
    world_.trace("cut one way", a + " > " + b);
    cluster_.facts.network.cut_one_way(a, b);
    return cluster_.rpc.cut_one_way(a, b);
  }
  world_.trace("cut", a + " | " + b);
  cluster_.facts.network.cut(a, b);
  cluster_.rpc.cut(a, b);
}

// ---- the operator

void Mischief::operate() {
  switch (random_.below(4)) {
    case 0:
    case 1:
      return reassign();
    case 2:
      if (draining_ >= 0) return resume();
      return drain(any_broker().id());
    default:
      if (!std::exchange(restarting_, true)) restart_in_turn(0);
      return;
  }
}

// To any three brokers in any order; or what is under way is taken back.
void Mischief::reassign() {
  std::vector<std::int32_t> ids;
  for (const auto& each : cluster_.brokers) ids.push_back(each->id());
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random_.below(i)]);
  ids.resize(kReplicas);
  wire::AlterPartitionReassignmentsRequest request;
  request.timeout_ms = 1500;
  auto& topic = request.topics.emplace_back();
  topic.name = topic_;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index =
      static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(partitions_)));
  const bool cancel = random_.chance(1, 4);
  if (!cancel) partition.replicas = ids;
  world_.trace(cancel ? "cancel" : "reassign", static_cast<std::uint64_t>(ids.front()));
  admin_.aim(any_broker().host());
  admin_.call<wire::AlterPartitionReassignmentsResponse>(request, 1, [](const auto*) {});
}

void Mischief::drain(std::int32_t broker) {
  world_.trace("drain", static_cast<std::uint64_t>(broker));
  draining_ = broker;
  proto::DrainBrokerRequest request;
  request.set_broker_id(broker);
  quorum_->call(controller::methods::kDrainBroker, request.SerializeAsString(), seconds(2),
                [](const auto&) {});
}

void Mischief::resume() {
  if (draining_ < 0) return;
  world_.trace("resume", static_cast<std::uint64_t>(draining_));
  proto::ResumeBrokerRequest request;
  request.set_broker_id(draining_);
  quorum_->call(controller::methods::kResumeBroker, request.SerializeAsString(), seconds(2),
                [this](const io::IoResult<std::string>& reply) {
                  proto::ResumeBrokerReply got;
                  const bool done = reply && got.ParseFromString(*reply) && got.error().code() == 0;
                  if (done) draining_ = -1;
                  if (!done && !active_) world_.after(milliseconds(200), [this] { resume(); });
                });
}

void Mischief::restart_in_turn(std::size_t next) {
  restarting_ = active_ && !stop_restarts_ && next < cluster_.brokers.size();
  if (!restarting_) return;
  BrokerMachine& broker = *cluster_.brokers[next];
  if (!broker.frozen()) broker.stop();
  await_restart(next, 200);
}

void Mischief::await_restart(std::size_t at, int patience) {
  world_.after(milliseconds(30), [this, at, patience] {
    BrokerMachine& broker = *cluster_.brokers[at];
    if (!active_ || patience == 0) return restart_in_turn(at + 1);
    if (!broker.up()) broker.start();
    const bool back = broker.serving() && !broker.stopping();
    return back ? restart_in_turn(at + 1) : await_restart(at, patience - 1);
  });
}

// ---- a disk that is lost

// One disk may be lost without loss of what was acknowledged: after everything else is well, and
// nothing else goes wrong until the controller knows of it.
void Mischief::await_calm(int patience) {
  if (patience == 0 || !active_) {
    calm_ = stop_restarts_ = false;
    return;
  }
  cluster_.facts.network.heal();
  cluster_.rpc.heal();
  for (auto& each : cluster_.controllers) mend(*each);
  for (auto& each : cluster_.brokers) mend(*each);
  if (draining_ >= 0 && patience % 20 == 0) resume();
  if (nothing_is_wrong()) return wipe(*cluster_.brokers[victim_]);
  world_.after(milliseconds(50), [this, patience] { await_calm(patience - 1); });
}

void Mischief::wipe(BrokerMachine& broker) {
  const std::int64_t epoch = epoch_of(broker);
  broker.wipe();
  broker.start();
  await_return(broker, epoch, 300);
}

bool Mischief::nothing_is_wrong() const {
  if (restarting_ || draining_ >= 0 || !cluster_.fully_replicated(topic_)) return false;
  const auto good = [](const auto& machine) {
    const auto& faults = machine->disk.faults;
    return machine->up() && !machine->broken() && !machine->frozen() && !faults.fail_sync &&
           !faults.fail_operation && !faults.capacity_bytes && faults.dead.empty();
  };
  return std::ranges::all_of(cluster_.controllers, good) &&
         std::ranges::all_of(cluster_.brokers, [&](const auto& each) {
           return good(each) && each->serving() && !each->stopping();
         });
}

void Mischief::await_return(const BrokerMachine& wiped, std::int64_t former_epoch, int patience) {
  if (patience == 0) {
    return cluster_.facts.wrong(wiped.host() + " does not come back with an empty disk");
  }
  world_.after(milliseconds(50), [this, &wiped, former_epoch, patience] {
    const std::int64_t epoch = epoch_of(wiped);
    if (epoch != former_epoch && epoch >= 0) {
      calm_ = stop_restarts_ = false;
      return;
    }
    await_return(wiped, former_epoch, patience - 1);
  });
}

std::int64_t Mischief::epoch_of(const BrokerMachine& broker) const {
  const meta::ImagePtr image = cluster_.image();
  const meta::Broker* found = image ? image->broker(base::BrokerId(broker.id())) : nullptr;
  return found ? found->epoch.value() : -1;
}

}  // namespace sim
