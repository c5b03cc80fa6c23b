// What a consumer group has to know of the cluster's topics: a view that does not change while it
// is held. Implemented over the metadata image by the owner of the shard, and by tests.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/uuid.h"

namespace broker::group {

struct TopicShape {
  std::string name;
  base::Uuid id;
  std::int32_t partitions = 0;
};

class Topics {
 public:
  virtual ~Topics() = default;

  // Rises with every change of the cluster; equal versions are equal topics.
  virtual std::uint64_t version() const = 0;
  virtual std::optional<TopicShape> find(std::string_view name) const = 0;
  // The name a topic id has now.
  virtual std::optional<std::string> name_of(const base::Uuid& id) const = 0;
  // Racks of the partition's replicas, sorted; empty when they are not known.
  virtual std::vector<std::string> racks(const base::Uuid& id, std::int32_t partition) const = 0;
  // Every topic that clients may subscribe to by expression, in order of name.
  virtual void for_each_name(const std::function<void(std::string_view)>& visit) const = 0;
};

}  // namespace broker::group
