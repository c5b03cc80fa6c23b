// An idempotent producer in the way of librdkafka: it goes on with a partition's next leader while
// the last one still owes it answers. What comes back unanswered or refused is sent again, in its
// order, once nothing is under way; unless a batch behind it was acknowledged, which says that it
// is in the log. Told that a batch behind the first is out of order, it begins anew as another
// producer, with all that is not acknowledged: if one of those was in the log all the same, it is
// doubled then. Source: https://github.com/confluentinc/librdkafka/issues/4953
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/msg/produce_response.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class HastyProducer {
 public:
  HastyProducer(Facts& facts, std::string name, std::string topic, std::int32_t partition);

  // Goes on at `leader`, until stop().
  void write_to(const std::string& leader);
  // Makes nothing new from now on; what is unanswered is still sent.
  void stop() { stopped_ = true; }
  bool idle() const { return queue_.empty() && under_way_ == 0; }
  // Only acknowledged by what came behind them.
  const std::vector<Value>& implied() const { return implied_; }

 private:
  static constexpr std::size_t kUnansweredMax = 5;  // as many as a broker knows again
  static constexpr std::size_t kUnansweredOfOneMax = 3;
  struct Batch {
    std::uint64_t number;
    std::int32_t sequence;
    std::vector<Value> values;
  };
  void step();
  void go_on();
  void begin_anew();
  void ask_for_id();
  void make_batch();
  void send(const Batch& batch);
  void answered(std::uint64_t number, const wire::ProduceResponse* response);
  struct Line {
    std::unique_ptr<KafkaClient> client;
    std::size_t under_way = 0;
  };
  Line& line();  // to the leader

  Facts& facts_;
  PartitionHistory& history_;
  const std::string name_;
  const std::string topic_;
  const std::int32_t partition_;
  base::Random random_;
  std::map<std::string, Line> lines_;  // by host
  std::string leader_;
  std::deque<Batch> queue_;
  std::uint64_t made_ = 0;
  std::uint64_t acknowledged_ = 0;  // the highest number
  std::vector<Value> implied_;
  std::size_t under_way_ = 0;
  std::int64_t producer_id_ = -1;
  std::int16_t producer_epoch_ = -1;
  std::int32_t next_sequence_ = 0;
  bool asking_ = false;
  bool drains_ = false;   // sends nothing until all is answered
  bool another_ = false;  // and is another producer then
  bool steps_ = false;
  bool stopped_ = false;
};

}  // namespace sim
