#include "broker/shell/held_partitions.h"

#include "broker/node/node.h"
#include "broker/node/partition_table.h"

namespace broker::shell {

void each_held(Broker& broker, const std::function<void(const Held&)>& visit) {
  const auto table = broker.node().partitions->snapshot();
  const auto image = broker.node().image();
  for (const auto& [id, topic] : table->by_id) {
    const meta::Topic* known = image->topic(id);
    if (known == nullptr) continue;
    for (std::size_t i = 0; i < topic->partitions.size() && i < known->partitions.size(); ++i) {
      if (topic->partitions[i]) visit({topic->partitions[i], &known->partitions[i]});
    }
  }
}

void look_at(Broker& broker, TopicTraffic& traffic) {
  const auto table = broker.node().partitions->snapshot();
  traffic.begin();
  for (const auto& [id, topic] : table->by_id) {
    for (const auto& partition : topic->partitions) {
      if (!partition) continue;
      const auto now = partition->traffic();
      traffic.add(topic->name, partition.get(),
                  {now.produced_bytes, now.produced_records, now.fetched_bytes});
    }
  }
  traffic.end();
}

}  // namespace broker::shell
