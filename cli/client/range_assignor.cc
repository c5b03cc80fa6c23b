#include "cli/client/range_assignor.h"

#include <algorithm>
#include <tuple>

namespace cli {

std::map<std::string, Assignment> assign_ranges(
    const std::vector<Subscriber>& members,
    const std::map<std::string, std::int32_t>& partition_counts) {
  std::map<std::string, Assignment> assigned;
  for (const Subscriber& member : members) assigned[member.member_id];
  for (const auto& [topic, partition_count] : partition_counts) {
    std::vector<const Subscriber*> readers;
    for (const Subscriber& member : members) {
      if (std::ranges::find(member.topics, topic) != member.topics.end())
        readers.push_back(&member);
    }
    if (readers.empty()) continue;
    // Static members first, by instance, as Kafka's clients sort them.
    std::ranges::sort(readers, {}, [](const Subscriber* member) {
      return std::tuple(!member->instance_id.has_value(),
                        member->instance_id.value_or(member->member_id));
    });
    auto reader_count = static_cast<std::int32_t>(readers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < reader_count; ++i) {
      std::int32_t share = partition_count / reader_count + (i < partition_count % reader_count);
      if (share == 0) break;
      auto& partitions = assigned[readers[static_cast<std::size_t>(i)]->member_id][topic];
      for (std::int32_t n = 0; n < share; ++n) partitions.push_back(next++);
    }
  }
  return assigned;
}

}  // namespace cli
