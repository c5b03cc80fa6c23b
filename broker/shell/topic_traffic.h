// Adds up what partitions count into counters of their topics that never fall while the topic is
// here: a partition that moves away takes its own count along, and a Prometheus that saw the sum
// fall would take it for a restart. What it counted after the last look is lost.
// Not thread-safe: the registry of metrics calls its collectors one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace broker::shell {

class TopicTraffic {
 public:
  struct Count {
    std::uint64_t produced_bytes = 0;
    std::uint64_t produced_records = 0;
    std::uint64_t fetched_bytes = 0;
    friend bool operator==(const Count&, const Count&) = default;
  };
  // Of each partition that is here now, between begin() and end(). `replica` tells one replica
  // from the next under the same name; it is never looked into.
  void begin() { ++look_; }
  void add(std::string_view topic, const void* replica, const Count& now);
  // Forgets the topics that no add() named, and replicas likewise.
  void end();
  // By topic.
  const std::map<std::string, Count, std::less<>>& totals() const { return totals_; }
  // Of all topics together, of those too that are gone.
  const Count& all() const { return all_; }

 private:
  struct Seen {
    Count count;
    std::uint64_t look = 0;
  };
  std::uint64_t look_ = 0;
  Count all_;
  std::map<std::string, Count, std::less<>> totals_;
  std::map<std::string, std::map<const void*, Seen>, std::less<>> seen_;
};

}  // namespace broker::shell
