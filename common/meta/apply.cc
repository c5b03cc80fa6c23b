#include "common/meta/apply.h"

#include <algorithm>
#include <utility>

#include "common/base/mutant.h"

namespace meta {
namespace {

std::unexpected<std::string> misfit(std::string why) { return std::unexpected(std::move(why)); }

template <class Ids>
std::vector<base::BrokerId> broker_ids(const Ids& ids) {
  std::vector<base::BrokerId> out;
  out.reserve(static_cast<std::size_t>(ids.size()));
  for (std::int32_t id : ids) out.push_back(base::BrokerId(id));
  return out;
}

std::vector<base::Uuid> uuids(const auto& ids) {
  std::vector<base::Uuid> out;
  out.reserve(static_cast<std::size_t>(ids.size()));
  for (const proto::Uuid& id : ids) out.push_back(from_proto(id));
  return out;
}

// Where the replica is from now on (zero: not told); kept by broker.
void place(ReplicaDirectories& directories, base::BrokerId broker, base::Uuid directory) {
  const auto at = std::ranges::lower_bound(directories, broker, {}, &ReplicaDirectory::broker);
  const bool known = at != directories.end() && at->broker == broker;
  if (directory.is_zero()) {
    if (known) directories.erase(at);
  } else if (known) {
    at->directory = directory;
  } else {
    directories.insert(at, {broker, directory});
  }
}

}  // namespace

base::Uuid from_proto(const proto::Uuid& id) { return {id.high(), id.low()}; }

void to_proto(base::Uuid id, proto::Uuid* out) {
  out->set_high(id.high);
  out->set_low(id.low);
}

Builder::Builder(ImagePtr base, base::Offset offset, std::int64_t epoch)
    : base_(std::move(base)), next_(std::make_shared<Image>(*base_)) {
  next_->offset_ = offset;
  next_->epoch_ = epoch;
}

ApplyResult<void> Builder::apply(const proto::Record& record) {
  switch (record.kind_case()) {
    case proto::Record::kCluster:
      return apply_cluster(record.cluster());
    case proto::Record::kBroker:
      return apply_broker(record.broker());
    case proto::Record::kTopic:
      return apply_topic(record.topic());
    case proto::Record::kPartition:
      return apply_partition(record.partition());
    case proto::Record::kPartitionChange:
      return apply_partition_change(record.partition_change());
    case proto::Record::kRemoveTopic:
      return apply_remove_topic(record.remove_topic());
    case proto::Record::kConfig:
      return apply_config(record.config());
    case proto::Record::kFeature:
      return apply_feature(record.feature());
    case proto::Record::kProducerIds:
      return apply_producer_ids(record.producer_ids());
    case proto::Record::kBrokerChange:
      return apply_broker_change(record.broker_change());
    case proto::Record::kRemoveBroker:
      return apply_remove_broker(record.remove_broker());
    case proto::Record::kBalancing:
      next_->balancing_ = record.balancing().active();
      return {};
    case proto::Record::kReplicaDirectories:
      return apply_replica_directories(record.replica_directories());
    case proto::Record::KIND_NOT_SET:
      break;
  }
  return misfit("a record of a kind that this release does not know");
}

ApplyResult<void> Builder::apply_cluster(const proto::ClusterRecord& record) {
  const base::Uuid id = from_proto(record.cluster_id());
  if (!next_->cluster_id_.is_zero() && next_->cluster_id_ != id) {
    return misfit("the cluster id changes from " + next_->cluster_id_.to_string() + " to " +
                  id.to_string());
  }
  next_->cluster_id_ = id;
  return {};
}

ApplyResult<void> Builder::apply_broker(const proto::BrokerRecord& record) {
  auto broker = std::make_shared<Broker>();
  broker->id = base::BrokerId(record.broker_id());
  broker->epoch = base::BrokerEpoch(record.epoch() > 0 ? record.epoch() : next_->offset_.value());
  const BrokerPtr* before = next_->brokers_.find(broker->id);
  if (before && MUTANT("broker-keeps-its-epoch")) broker->epoch = (*before)->epoch;
  broker->incarnation = from_proto(record.incarnation());
  for (const auto& each : record.listeners()) {
    broker->listeners.push_back(
        {each.name(), each.host(), static_cast<std::uint16_t>(each.port())});
  }
  broker->rack = record.rack();
  broker->fenced = record.fenced();
  broker->silent = record.silent();
  broker->shutting_down = record.shutting_down();
  broker->draining = record.draining();
  broker->heartbeats = record.heartbeats();
  broker->directories = uuids(record.directory_ids());
  broker->failed_directories = uuids(record.failed_directory_ids());
  broker->full_directories = uuids(record.full_directory_ids());
  delta_.brokers.insert(broker->id);
  next_->brokers_.set(broker->id, broker);
  return {};
}

ApplyResult<void> Builder::apply_broker_change(const proto::BrokerChangeRecord& record) {
  const base::BrokerId id(record.broker_id());
  const BrokerPtr* before = next_->brokers_.find(id);
  if (!before) return misfit("a change of unknown broker " + std::to_string(id.value()));
  if ((*before)->epoch.value() != record.broker_epoch()) return {};
  auto broker = std::make_shared<Broker>(**before);
  if (record.has_fenced()) {
    broker->fenced = record.fenced();
    broker->silent = record.fenced() && record.silent();
  }
  if (record.has_shutting_down()) broker->shutting_down = record.shutting_down();
  if (record.has_draining()) broker->draining = record.draining();
  if (record.has_failed_directories()) {
    broker->failed_directories = uuids(record.failed_directories().ids());
  }
  if (record.has_full_directories()) {
    broker->full_directories = uuids(record.full_directories().ids());
  }
  delta_.brokers.insert(id);
  next_->brokers_.set(id, broker);
  return {};
}

ApplyResult<void> Builder::apply_remove_broker(const proto::RemoveBrokerRecord& record) {
  const base::BrokerId id(record.broker_id());
  if (!next_->brokers_.erase(id)) {
    return misfit("removal of unknown broker " + std::to_string(id.value()));
  }
  delta_.brokers.insert(id);
  return {};
}

ApplyResult<void> Builder::apply_topic(const proto::TopicRecord& record) {
  const base::Uuid id = from_proto(record.topic_id());
  if (next_->topics_.find(record.name())) return misfit("topic " + record.name() + " exists");
  if (next_->topics_by_id_.find(id)) return misfit("topic id " + id.to_string() + " exists");
  auto topic = std::make_shared<Topic>();
  topic->name = record.name();
  topic->id = id;
  topic->is_internal = is_internal_topic(record.name());
  topics_[id] = topic;
  next_->topics_.set(topic->name, topic);
  next_->topics_by_id_.set(id, topic);
  if (std::string key = collision_key(topic->name); !key.empty()) {
    next_->collisions_.set(key, topic->name);
  }
  delta_.topics[id] = {};
  return {};
}

Topic* Builder::change_topic(base::Uuid id) {
  if (auto found = topics_.find(id); found != topics_.end()) return found->second.get();
  const TopicPtr* before = next_->topics_by_id_.find(id);
  if (!before) return nullptr;
  auto topic = std::make_shared<Topic>(**before);
  delta_.topics[id].before = *before;
  topics_[id] = topic;
  next_->topics_.set(topic->name, topic);
  next_->topics_by_id_.set(id, topic);
  return topic.get();
}

ApplyResult<void> Builder::apply_partition(const proto::PartitionRecord& record) {
  const base::Uuid id = from_proto(record.topic_id());
  Topic* topic = change_topic(id);
  if (!topic) return misfit("a partition of unknown topic " + id.to_string());
  if (record.partition() < 0 ||
      static_cast<std::size_t>(record.partition()) != topic->partitions.size()) {
    return misfit("partition " + std::to_string(record.partition()) + " of " + topic->name +
                  " where " + std::to_string(topic->partitions.size()) + " comes next");
  }
  Partition partition;
  partition.leader = base::BrokerId(record.leader());
  partition.leader_epoch = base::LeaderEpoch(record.leader_epoch());
  partition.partition_epoch = record.partition_epoch();
  partition.replicas = broker_ids(record.replicas());
  partition.isr = broker_ids(record.isr());
  partition.elr = broker_ids(record.elr());
  partition.isr_lost = record.isr_lost();
  partition.adding = broker_ids(record.adding());
  partition.removing = broker_ids(record.removing());
  for (const auto& each : record.directories()) {
    place(partition.directories, base::BrokerId(each.broker_id()), from_proto(each.directory_id()));
  }
  topic->partitions.push_back(std::move(partition));
  ++next_->partition_count_;
  delta_.topics[id].partitions.insert(record.partition());
  return {};
}

ApplyResult<void> Builder::apply_partition_change(const proto::PartitionChangeRecord& record) {
  const base::Uuid id = from_proto(record.topic_id());
  Topic* topic = change_topic(id);
  if (!topic || record.partition() < 0 ||
      static_cast<std::size_t>(record.partition()) >= topic->partitions.size()) {
    return misfit("a change of unknown partition " + std::to_string(record.partition()) +
                  " of topic " + (topic ? topic->name : id.to_string()));
  }
  Partition& partition = topic->partitions.change(static_cast<std::size_t>(record.partition()));
  if (record.has_isr()) partition.isr = broker_ids(record.isr().ids());
  if (record.has_replicas()) {
    partition.replicas = broker_ids(record.replicas().ids());
    std::erase_if(partition.directories, [&](const ReplicaDirectory& each) {
      return std::ranges::find(partition.replicas, each.broker) == partition.replicas.end();
    });
  }
  if (record.has_elr()) partition.elr = broker_ids(record.elr().ids());
  if (record.has_isr_lost()) partition.isr_lost = record.isr_lost();
  if (record.has_adding()) partition.adding = broker_ids(record.adding().ids());
  if (record.has_removing()) partition.removing = broker_ids(record.removing().ids());
  if (record.has_leader()) {
    partition.leader = base::BrokerId(record.leader());
    if (!MUTANT("keep-leader-epoch")) partition.leader_epoch = partition.leader_epoch + 1;
  }
  ++partition.partition_epoch;
  delta_.topics[id].partitions.insert(record.partition());
  return {};
}

ApplyResult<void> Builder::apply_replica_directories(
    const proto::ReplicaDirectoriesRecord& record) {
  const base::BrokerId broker(record.broker_id());
  const base::Uuid directory = from_proto(record.directory_id());
  for (const auto& each : record.topics()) {
    const base::Uuid id = from_proto(each.topic_id());
    Topic* topic = change_topic(id);
    if (!topic) continue;
    for (const std::int32_t index : each.partitions()) {
      if (index < 0 || static_cast<std::size_t>(index) >= topic->partitions.size()) continue;
      Partition& partition = topic->partitions.change(static_cast<std::size_t>(index));
      const bool holds = std::ranges::find(partition.replicas, broker) != partition.replicas.end();
      if (!holds) continue;
      place(partition.directories, broker, directory);
      delta_.topics[id].partitions.insert(index);
    }
  }
  return {};
}

ApplyResult<void> Builder::apply_remove_topic(const proto::RemoveTopicRecord& record) {
  const base::Uuid id = from_proto(record.topic_id());
  const TopicPtr* found = next_->topics_by_id_.find(id);
  if (!found) return misfit("removal of unknown topic " + id.to_string());
  const TopicPtr topic = *found;
  // Created and removed in one batch: nobody ever saw it.
  auto [delta, untouched] = delta_.topics.try_emplace(id);
  if (untouched) delta->second.before = topic;
  if (!delta->second.before) {
    delta_.topics.erase(delta);
  } else {
    delta->second.partitions.clear();
    delta->second.configs_changed = false;
  }
  next_->partition_count_ -= static_cast<std::int64_t>(topic->partitions.size());
  next_->topics_.erase(topic->name);
  next_->collisions_.erase(collision_key(topic->name));
  next_->topics_by_id_.erase(id);
  topics_.erase(id);
  return {};
}

Configs& Builder::change_configs(std::map<std::string, std::shared_ptr<Configs>>& changed,
                                 const Image::ConfigMap& base, const std::string& name) {
  auto [at, fresh] = changed.try_emplace(name);
  if (fresh) {
    const auto* before = base.find(name);
    at->second = before ? std::make_shared<Configs>(**before) : std::make_shared<Configs>();
  }
  return *at->second;
}

ApplyResult<void> Builder::apply_config(const proto::ConfigRecord& record) {
  Configs* configs = nullptr;
  switch (record.resource()) {
    case proto::CONFIG_RESOURCE_TOPIC: {
      const TopicPtr* found = next_->topics_.find(record.name());
      if (!found) return misfit("a config of unknown topic " + record.name());
      const base::Uuid id = (*found)->id;
      configs = &change_topic(id)->configs;
      delta_.topics[id].configs_changed = true;
      break;
    }
    case proto::CONFIG_RESOURCE_BROKER:
      configs = &change_configs(broker_configs_, base_->broker_configs_, record.name());
      delta_.broker_configs.insert(record.name());
      break;
    case proto::CONFIG_RESOURCE_GROUP:
      configs = &change_configs(group_configs_, base_->group_configs_, record.name());
      delta_.group_configs.insert(record.name());
      break;
    default:
      return misfit("a config of a resource kind that this release does not know");
  }
  if (record.has_value()) {
    (*configs)[record.key()] = record.value();
  } else {
    configs->erase(record.key());
  }
  return {};
}

ApplyResult<void> Builder::apply_feature(const proto::FeatureRecord& record) {
  if (record.level() < 0 || record.level() > INT16_MAX) {
    return misfit("feature " + record.name() + " at level " + std::to_string(record.level()));
  }
  if (!features_) features_ = *next_->features_;
  if (record.level() == 0) {
    features_->erase(record.name());
  } else {
    (*features_)[record.name()] = static_cast<std::int16_t>(record.level());
  }
  delta_.features_changed = true;
  return {};
}

ApplyResult<void> Builder::apply_producer_ids(const proto::ProducerIdsRecord& record) {
  if (record.next_id() < next_->next_producer_id_) {
    return misfit("the next producer id falls from " + std::to_string(next_->next_producer_id_) +
                  " to " + std::to_string(record.next_id()));
  }
  next_->next_producer_id_ = record.next_id();
  return {};
}

Step Builder::finish() {
  for (auto& [id, topic] : topics_) delta_.topics[id].after = topic;
  const auto store = [](Image::ConfigMap& into, auto& changed) {
    for (auto& [name, configs] : changed) {
      if (configs->empty()) {
        into.erase(name);
      } else {
        into.set(name, configs);
      }
    }
  };
  store(next_->broker_configs_, broker_configs_);
  store(next_->group_configs_, group_configs_);
  if (features_) next_->features_ = std::make_shared<Features>(std::move(*features_));
  return {std::move(next_), std::move(delta_)};
}

ApplyResult<Step> apply_entry(const ImagePtr& base, base::Offset offset, std::int64_t epoch,
                              std::string_view batch) {
  proto::RecordBatch records;
  if (!records.ParseFromArray(batch.data(), static_cast<int>(batch.size()))) {
    return misfit("entry " + std::to_string(offset.value()) + " is not a batch of records");
  }
  Builder builder(base, offset, epoch);
  for (const auto& record : records.records()) {
    if (auto applied = builder.apply(record); !applied) {
      return misfit("entry " + std::to_string(offset.value()) + ": " + applied.error());
    }
  }
  return builder.finish();
}

}  // namespace meta
