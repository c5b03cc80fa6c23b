// A producer to one partition with acks=all. The idempotent one keeps a few requests in flight and
// sends all unanswered ones again, in order, when its connection is lost or an error may pass; the
// plain one never sends anything twice.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/wire/error_code.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/produce_response.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class Producer {
 public:
  struct Options {
    std::string topic;
    std::int32_t partition = 0;
    bool idempotent = true;
    std::size_t in_flight_max = 3;
    std::uint64_t batches_max = UINT64_MAX;
  };
  Producer(Facts& facts, const std::string& name, Options options);

  void start() { step(); }
  // Makes nothing new from now on; what is unanswered is still sent.
  void finish() { finishing_ = true; }
  // What is unanswered is given up, and it begins anew under another id.
  void begin_anew();
  bool done() const {
    return (finishing_ || made_ >= options_.batches_max) && queue_.empty() && client_.idle();
  }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t errors(wire::ErrorCode code) { return errors_[code]; }
  KafkaClient& client() { return client_; }

 private:
  struct Batch {
    std::uint64_t number;
    std::int32_t sequence;
    std::vector<Value> values;
    std::size_t padding;
    bool in_flight = false;
  };

  void step();
  void ask_for_id();
  void send(Batch& batch);
  void answered(std::uint64_t number, const wire::ProduceResponse* response);
  void refused(std::uint64_t number, const wire::produce_response_parts::PartitionProduceResponse&);
  void try_again();
  Batch* find(std::uint64_t number);

  Facts& facts_;
  PartitionHistory& history_;
  const Options options_;
  base::Random random_;
  KafkaClient client_;
  const std::int16_t version_;
  std::deque<Batch> queue_;
  std::uint64_t made_ = 0;
  std::int64_t producer_id_ = -1;
  std::int16_t producer_epoch_ = -1;
  std::int32_t next_sequence_ = 0;
  bool asking_ = false;
  bool again_ = false;  // all unanswered are to be sent again
  bool finishing_ = false;
  bool acknowledged_under_id_ = false;  // something, under the present producer id
  std::uint64_t acknowledged_ = 0;
  std::map<wire::ErrorCode, std::uint64_t> errors_;
};

}  // namespace sim
