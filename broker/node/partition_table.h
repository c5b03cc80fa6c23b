// Which partitions this broker holds, by topic id or name and by index. Readers on any thread see
// an immutable snapshot; only the broker's metadata flow replaces it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/uuid.h"

namespace broker {

class Partition;

// The partitions of one topic; index -> partition, null where this broker holds no replica.
struct TopicPartitions {
  std::string name;
  base::Uuid id;
  std::vector<std::shared_ptr<Partition>> partitions;
};

class PartitionTable {
 public:
  struct UuidHash {
    std::size_t operator()(const base::Uuid& id) const { return id.low ^ (id.high * 31); }
  };
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };
  // One state of the table.
  struct Snapshot {
    std::unordered_map<std::string, std::shared_ptr<const TopicPartitions>, NameHash,
                       std::equal_to<>>
        by_name;
    std::unordered_map<base::Uuid, std::shared_ptr<const TopicPartitions>, UuidHash> by_id;

    const TopicPartitions* find(std::string_view topic) const;
    const TopicPartitions* find(const base::Uuid& id) const;
    // Null when this broker holds no such partition.
    std::shared_ptr<Partition> find(std::string_view topic, std::int32_t partition) const;
    std::shared_ptr<Partition> find(const base::Uuid& id, std::int32_t partition) const;
  };

  // Any thread. Hold on to the result for one request, not longer.
  std::shared_ptr<const Snapshot> snapshot() const { return current_.load(); }
  // Any thread, conveniences over snapshot().
  std::shared_ptr<Partition> find(std::string_view topic, std::int32_t partition) const {
    return snapshot()->find(topic, partition);
  }

  void replace(std::shared_ptr<const Snapshot> next) { current_.store(std::move(next)); }

 private:
  std::atomic<std::shared_ptr<const Snapshot>> current_{std::make_shared<const Snapshot>()};
};

}  // namespace broker
