// A producer to one replicated partition with acks=all. The idempotent one sends what is unanswered
// again, in order, to whoever leads; the plain one never sends anything twice.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/wire/error_code.h"
#include "common/wire/msg/produce_response.h"
#include "tests/sim/cluster/leader_client.h"
#include "tests/sim/node/cluster_facts.h"

namespace sim {

class Writer {
 public:
  struct Options {
    std::string topic;
    std::int32_t partition = 0;
    bool idempotent = true;
    std::size_t in_flight_max = 3;
  };
  Writer(Facts& facts, const std::string& name, std::vector<std::string> brokers, Options options);

  void start();
  // Makes nothing new from now on; what is unanswered is still sent.
  void finish() { finishing_ = true; }
  bool done() const { return finishing_ && queue_.empty() && client_.idle(); }
  std::uint64_t acknowledged() const { return acknowledged_; }
  const std::string& host() const { return client_.host(); }
  const std::map<wire::ErrorCode, std::uint64_t>& errors() const { return errors_; }

 private:
  struct Batch {
    std::uint64_t number;
    std::int32_t sequence;
    std::vector<Value> values;
  };
  void step();
  void make_batch();
  void ask_for_id();
  void send(const Batch& batch);
  void answered(std::uint64_t number, const wire::ProduceResponse* response);
  void refused(std::uint64_t number,
               const wire::produce_response_parts::PartitionProduceResponse& result);
  void unknown(std::uint64_t number);
  Batch* find(std::uint64_t number);

  Facts& facts_;
  PartitionHistory& history_;
  const Options options_;
  base::Random random_;
  LeaderClient client_;
  const std::int16_t version_;
  std::deque<Batch> queue_;
  std::uint64_t made_ = 0;
  std::int64_t producer_id_ = -1;
  std::int16_t producer_epoch_ = -1;
  std::int32_t next_sequence_ = 0;
  bool asking_ = false;
  bool again_ = false;
  bool finishing_ = false;
  std::uint64_t acknowledged_ = 0;
  std::map<wire::ErrorCode, std::uint64_t> errors_;
};

}  // namespace sim
