#include "broker/shell/topic_traffic.h"

namespace broker::shell {

void TopicTraffic::add(std::string_view topic, const void* replica, const Count& now) {
  auto& replicas = seen_.try_emplace(std::string(topic)).first->second;
  Seen& seen = replicas[replica];
  seen.look = look_;
  // Less than before: another replica at the same address.
  const bool another = now.produced_bytes < seen.count.produced_bytes ||
                       now.produced_records < seen.count.produced_records ||
                       now.fetched_bytes < seen.count.fetched_bytes;
  const Count before = another ? Count{} : seen.count;
  for (Count* total : {&totals_.try_emplace(std::string(topic)).first->second, &all_}) {
    total->produced_bytes += now.produced_bytes - before.produced_bytes;
    total->produced_records += now.produced_records - before.produced_records;
    total->fetched_bytes += now.fetched_bytes - before.fetched_bytes;
  }
  seen.count = now;
}

void TopicTraffic::end() {
  for (auto& [topic, replicas] : seen_) {
    std::erase_if(replicas, [this](const auto& replica) { return replica.second.look != look_; });
  }
  std::erase_if(seen_, [](const auto& each) { return each.second.empty(); });
  std::erase_if(totals_, [this](const auto& each) { return !seen_.contains(each.first); });
}

}  // namespace broker::shell
