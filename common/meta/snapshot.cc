// Images as lists of records and back, and the comparison of two images.
#include <algorithm>

#include "common/base/mutant.h"
#include "common/meta/apply.h"

namespace meta {
namespace {

void put_broker(const Broker& broker, proto::Snapshot& out) {
  auto* record = out.add_records()->mutable_broker();
  record->set_broker_id(broker.id.value());
  record->set_epoch(broker.epoch.value());
  to_proto(broker.incarnation, record->mutable_incarnation());
  for (const auto& each : broker.listeners) {
    auto* listener = record->add_listeners();
    listener->set_name(each.name);
    listener->set_host(each.host);
    listener->set_port(each.port);
  }
  record->set_rack(broker.rack);
  record->set_fenced(broker.fenced);
  record->set_silent(broker.silent);
  record->set_shutting_down(broker.shutting_down);
  record->set_draining(broker.draining);
  record->set_heartbeats(broker.heartbeats);
  for (base::Uuid id : broker.directories) to_proto(id, record->add_directory_ids());
  for (base::Uuid id : broker.failed_directories) {
    to_proto(id, record->add_failed_directory_ids());
  }
  for (base::Uuid id : broker.full_directories) to_proto(id, record->add_full_directory_ids());
}

void put_configs(proto::ConfigResource resource, const std::string& name, const Configs& configs,
                 proto::Snapshot& out) {
  for (const auto& [key, value] : configs) {
    auto* record = out.add_records()->mutable_config();
    record->set_resource(resource);
    record->set_name(name);
    record->set_key(key);
    record->set_value(value);
  }
}

void put_topic(const Topic& topic, proto::Snapshot& out) {
  auto* record = out.add_records()->mutable_topic();
  record->set_name(topic.name);
  to_proto(topic.id, record->mutable_topic_id());
  std::int32_t index = 0;
  for (const Partition& each : topic.partitions) {
    auto* partition = out.add_records()->mutable_partition();
    to_proto(topic.id, partition->mutable_topic_id());
    partition->set_partition(index++);
    partition->set_leader(each.leader.value());
    partition->set_leader_epoch(each.leader_epoch.value());
    partition->set_partition_epoch(each.partition_epoch);
    for (auto id : each.replicas) partition->add_replicas(id.value());
    for (auto id : each.isr) partition->add_isr(id.value());
    for (auto id : each.elr) partition->add_elr(id.value());
    partition->set_isr_lost(each.isr_lost);
    for (auto id : each.adding) partition->add_adding(id.value());
    for (auto id : each.removing) partition->add_removing(id.value());
    for (const ReplicaDirectory& in : each.directories) {
      auto* directory = partition->add_directories();
      directory->set_broker_id(in.broker.value());
      to_proto(in.directory, directory->mutable_directory_id());
    }
  }
  put_configs(proto::CONFIG_RESOURCE_TOPIC, topic.name, topic.configs, out);
}

// Names whose overrides differ.
std::set<std::string> changed_names(const Image::ConfigMap& before, const Image::ConfigMap& after) {
  std::set<std::string> names;
  for (const auto& [name, configs] : before) {
    const auto* now = after.find(name);
    if (!now || **now != *configs) names.insert(name);
  }
  for (const auto& [name, configs] : after) {
    if (!before.find(name)) names.insert(name);
  }
  return names;
}

std::set<std::int32_t> changed_partitions(const Topic* before, const Topic& after) {
  std::set<std::int32_t> changed;
  for (std::size_t i = 0; i < after.partitions.size(); ++i) {
    const bool same =
        before && i < before->partitions.size() && before->partitions[i] == after.partitions[i];
    if (!same) changed.insert(static_cast<std::int32_t>(i));
  }
  return changed;
}

}  // namespace

proto::Snapshot to_snapshot(const Image& image) {
  proto::Snapshot out;
  out.set_offset(image.offset().value());
  out.set_epoch(image.epoch());
  if (!image.cluster_id().is_zero()) {
    to_proto(image.cluster_id(), out.add_records()->mutable_cluster()->mutable_cluster_id());
  }
  for (const auto& [name, level] : image.features()) {
    auto* record = out.add_records()->mutable_feature();
    record->set_name(name);
    record->set_level(level);
  }
  for (const auto& [id, broker] : image.brokers()) put_broker(*broker, out);
  for (const auto& [name, topic] : image.topics()) put_topic(*topic, out);
  for (const auto& [name, configs] : image.brokers_with_configs()) {
    put_configs(proto::CONFIG_RESOURCE_BROKER, name, *configs, out);
  }
  for (const auto& [name, configs] : image.groups_with_configs()) {
    put_configs(proto::CONFIG_RESOURCE_GROUP, name, *configs, out);
  }
  if (image.balancing()) out.add_records()->mutable_balancing()->set_active(true);
  if (image.next_producer_id() > 0 && !MUTANT("snapshot-forgets-producer-ids")) {
    out.add_records()->mutable_producer_ids()->set_next_id(image.next_producer_id());
  }
  return out;
}

ApplyResult<ImagePtr> from_snapshot(const proto::Snapshot& snapshot) {
  Builder builder(std::make_shared<Image>(), base::Offset(snapshot.offset()), snapshot.epoch());
  for (const auto& record : snapshot.records()) {
    if (auto applied = builder.apply(record); !applied) {
      return std::unexpected("snapshot at " + std::to_string(snapshot.offset()) + ": " +
                             applied.error());
    }
  }
  return builder.finish().image;
}

Delta difference(const Image& before, const Image& after) {
  Delta delta;
  delta.from_snapshot = true;
  for (const auto& [id, topic] : before.topics_by_id()) {
    if (!after.topic(id)) delta.topics[id].before = topic;
  }
  for (const auto& [id, topic] : after.topics_by_id()) {
    const TopicPtr old = before.topic_ptr(id);
    if (old && (old == topic || *old == *topic)) continue;
    auto& change = delta.topics[id];
    change.before = old;
    change.after = topic;
    change.partitions = changed_partitions(old.get(), *topic);
    change.configs_changed = old ? old->configs != topic->configs : !topic->configs.empty();
  }
  for (const auto& [id, broker] : before.brokers()) {
    const Broker* now = after.broker(id);
    if (!now || !(*now == *broker)) delta.brokers.insert(id);
  }
  for (const auto& [id, broker] : after.brokers()) {
    if (!before.broker(id)) delta.brokers.insert(id);
  }
  delta.broker_configs = changed_names(before.brokers_with_configs(), after.brokers_with_configs());
  delta.group_configs = changed_names(before.groups_with_configs(), after.groups_with_configs());
  delta.features_changed = before.features() != after.features();
  return delta;
}

}  // namespace meta
