// Brokers that are to be emptied, and removed for good.
#include <algorithm>

#include "common/meta/apply.h"
#include "controller/cluster/movement.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

using wire::ErrorCode;

Refusal unregistered(std::int32_t id) {
  return {ErrorCode::kBrokerIdNotRegistered,
          "Broker " + std::to_string(id) + " is not registered."};
}

void set_draining(const meta::Broker& broker, bool draining, std::vector<proto::Record>& out) {
  auto* change = out.emplace_back().mutable_broker_change();
  change->set_broker_id(broker.id.value());
  change->set_broker_epoch(broker.epoch.value());
  change->set_draining(draining);
}

std::string names_of(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, names.size()); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  if (names.size() > kNamed) text += ", ...";
  return text;
}

// What is left on the broker, and why it does not move.
void tell_rest(base::BrokerId id, const meta::Image& image, const ReplicaSizes& sizes,
               proto::DrainBrokerReply& reply) {
  std::int64_t bytes_left = 0;
  const auto seats = seats_of(image);
  std::vector<std::string> stuck;
  std::vector<std::string> alone;
  each_partition_of(id, image, [&](const meta::Topic& topic, std::int32_t index, const auto& now) {
    const std::string name = topic.name + "-" + std::to_string(index);
    reply.set_replicas_left(reply.replicas_left() + 1);
    if (now.leader == id) reply.set_leaders_left(reply.leaders_left() + 1);
    if (contains(now.removing, id)) reply.set_moving(reply.moving() + 1);
    bytes_left += is_moving(now) ? bytes_to_copy(topic.id, index, now, sizes)
                                 : sizes.of(topic.id, index, now);
    const bool dead = !image.broker(id) || image.broker(id)->fenced;
    if (dead && now.leader == meta::kNoBroker) {
      alone.push_back(name);
    } else if (!is_moving(now) && !place::heir(seats, now.replicas, id)) {
      stuck.push_back(name);
    }
  });
  if (sizes.complete(image)) *reply.mutable_progress() = progress_of(bytes_left, sizes);
  if (!stuck.empty()) {
    reply.add_obstacles("No other live broker can take " + std::to_string(stuck.size()) +
                        " partition(s): " + names_of(stuck) +
                        ". Add a broker, or lower their replication factor.");
  }
  if (!alone.empty()) {
    reply.add_obstacles(std::to_string(alone.size()) + " partition(s) have no leader: " +
                        names_of(alone) + ". Start the brokers again that hold their data.");
  }
}

}  // namespace

Decision<proto::DrainBrokerReply> drain_broker(const proto::DrainBrokerRequest& request,
                                               const meta::Image& image, const Settings&,
                                               const ReplicaSizes& sizes) {
  Decision<proto::DrainBrokerReply> out;
  const base::BrokerId id(request.broker_id());
  const meta::Broker* broker = image.broker(id);
  if (!broker) {
    set_error(out.reply.mutable_error(), unregistered(request.broker_id()));
    return out;
  }
  if (!broker->draining) set_draining(*broker, true, out.records);
  tell_rest(id, image, sizes, out.reply);
  return out;
}

Decision<proto::ResumeBrokerReply> resume_broker(const proto::ResumeBrokerRequest& request,
                                                 const meta::Image& image) {
  Decision<proto::ResumeBrokerReply> out;
  const meta::Broker* broker = image.broker(base::BrokerId(request.broker_id()));
  if (!broker) {
    set_error(out.reply.mutable_error(), unregistered(request.broker_id()));
  } else if (broker->draining) {
    set_draining(*broker, false, out.records);
  }
  return out;
}

Decision<proto::UnregisterBrokerReply> unregister_broker(
    const proto::UnregisterBrokerRequest& request, const meta::Image& image) {
  Decision<proto::UnregisterBrokerReply> out;
  const base::BrokerId id(request.broker_id());
  const auto refused = [&](Refusal refusal) {
    set_error(out.reply.mutable_error(), refusal);
    return out;
  };
  const meta::Broker* broker = image.broker(id);
  if (!broker) return refused(unregistered(request.broker_id()));
  const std::string name = "Broker " + std::to_string(id.value());
  if (!broker->fenced) {
    return refused({ErrorCode::kInvalidRequest, name + " is running: stop it first."});
  }
  int held = 0;
  each_partition_of(id, image, [&](const auto&, std::int32_t, const auto&) { ++held; });
  if (held > 0) {
    return refused({ErrorCode::kInvalidRequest,
                    name + " holds " + std::to_string(held) + " replica(s): drain it first."});
  }
  for (const auto& [key, value] : image.broker_configs(id)) {
    auto* config = out.records.emplace_back().mutable_config();
    config->set_resource(proto::CONFIG_RESOURCE_BROKER);
    config->set_name(std::to_string(id.value()));
    config->set_key(key);
  }
  out.records.emplace_back().mutable_remove_broker()->set_broker_id(id.value());
  return out;
}

std::vector<proto::Record> drain_step(const meta::Image& image, const Settings& settings) {
  std::vector<proto::Record> out;
  const auto draining = [&](base::BrokerId id) {
    const meta::Broker* broker = image.broker(id);
    return broker && broker->draining;
  };
  const bool any =
      std::ranges::any_of(image.brokers(), [](const auto& each) { return each.value->draining; });
  if (!any) return out;
  int slots = settings.moves_at_once - moving_count(image);
  auto seats = seats_of(image);
  for (const auto& [name, topic] : image.topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      ++index;
      if (slots <= 0) return out;
      if (is_moving(partition)) continue;
      auto leaving = std::ranges::find_if(partition.replicas, draining);
      if (leaving == partition.replicas.end()) continue;
      const auto next = place::heir(seats, partition.replicas, *leaving);
      if (!next) continue;
      Replicas target = partition.replicas;
      std::ranges::replace(target, *leaving, *next);
      auto record = move_to(*topic, index, target, image, settings);
      if (!record) continue;
      ++std::ranges::find(seats, *next, &place::Seat::id)->replicas;
      out.push_back(std::move(*record));
      --slots;
    }
  }
  return out;
}

}  // namespace controller::cluster
