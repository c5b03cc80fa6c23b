#include "broker/node/partition_table.h"

namespace broker {

const TopicPartitions* PartitionTable::Snapshot::find(std::string_view topic) const {
  const auto found = by_name.find(topic);
  return found == by_name.end() ? nullptr : found->second.get();
}

const TopicPartitions* PartitionTable::Snapshot::find(const base::Uuid& id) const {
  const auto found = by_id.find(id);
  return found == by_id.end() ? nullptr : found->second.get();
}

namespace {
std::shared_ptr<Partition> pick(const TopicPartitions* topic, std::int32_t partition) {
  if (topic == nullptr || partition < 0) return nullptr;
  const auto index = static_cast<std::size_t>(partition);
  return index < topic->partitions.size() ? topic->partitions[index] : nullptr;
}
}  // namespace

std::shared_ptr<Partition> PartitionTable::Snapshot::find(std::string_view topic,
                                                          std::int32_t partition) const {
  return pick(find(topic), partition);
}

std::shared_ptr<Partition> PartitionTable::Snapshot::find(const base::Uuid& id,
                                                          std::int32_t partition) const {
  return pick(find(id), partition);
}

}  // namespace broker
