// A consumer of one replicated partition: reads on from where it is, wherever the leader is, and
// tells the history what it saw. What was polled once must stay as it was.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/wire/msg/fetch_response.h"
#include "tests/sim/cluster/leader_client.h"
#include "tests/sim/node/cluster_facts.h"

namespace sim {

class TailReader {
 public:
  TailReader(Facts& facts, const std::string& name, std::vector<std::string> brokers,
             std::string topic, std::int32_t partition);

  void start();
  std::int64_t position() const { return position_; }
  // The high watermark that the last good answer spoke of, and how many there were.
  std::int64_t high_watermark() const { return high_watermark_; }
  std::uint64_t polls() const { return polls_; }
  // Everything polled so far, by offset.
  const std::map<std::int64_t, Value>& records() const { return records_; }
  const std::string& host() const { return client_.host(); }

 private:
  void poll();
  void again_soon();
  void answered(const wire::FetchResponse* response);
  void take(const wire::fetch_response_parts::PartitionData& data);

  Facts& facts_;
  PartitionHistory& history_;
  const std::string topic_;
  const std::int32_t partition_;
  base::Random random_;
  LeaderClient client_;
  std::int64_t position_ = 0;
  std::int64_t high_watermark_ = 0;
  std::uint64_t polls_ = 0;
  std::map<std::int64_t, Value> records_;
};

}  // namespace sim
