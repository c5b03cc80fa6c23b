// A producer that reads, processes and writes, in transactions: values to two partitions and an
// offset of its own group, committed or aborted together. Speaks either version of the protocol;
// with the second it sends the values of a partition in two requests at once, as clients do that
// wait for nothing. It may fall asleep for longer than its timeout, and some EndTxn arrive again
// much later, by another connection.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/wire/error_code.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

// What is known of one transaction.
struct TxnFacts {
  enum class Fate { kUnasked, kUnknown, kCommitted, kAborted };
  Fate fate = Fate::kUnasked;  // kUnasked: its commit was never asked for
  std::int64_t offset = 0;     // that it commits for the group
  std::vector<Value> values[2];
};

class TxnProducer {
 public:
  static constexpr const char* kTopic = "out";

  TxnProducer(Facts& facts, std::string id, bool version_two);

  void start() { begin_anew(); }
  void finish() { finishing_ = true; }
  bool done() const { return done_; }
  // Its connections are lost.
  void lose_connection(bool late_one);

  const std::string& id() const { return id_; }
  std::string group() const { return "group-" + id_; }
  const std::vector<TxnFacts>& transactions() const { return transactions_; }
  std::uint64_t committed() const { return committed_; }

 private:
  void begin_anew();
  void init();
  void begin();
  void add_partitions();
  void add_offsets();
  void produce(std::int32_t partition);
  void send(std::int32_t partition, std::size_t first, std::size_t end);
  void on_produced(std::int32_t partition, std::size_t first, std::size_t end, bool answered,
                   wire::ErrorCode error);
  void commit_offsets();
  void end();
  void ask_end(bool commit, int tries);
  void next_step(std::function<void()> step);
  // True when all is well; otherwise begins anew.
  bool check(bool answered, wire::ErrorCode error);
  void send_late_end(bool commit);

  Facts& facts_;
  const std::string id_;
  const bool v2_;
  base::Random random_;
  KafkaClient client_;
  KafkaClient late_;  // carries what arrives again
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::int32_t sequences_[2] = {0, 0};
  std::size_t taken_ = 0;      // values of the partition that is written to
  std::size_t in_flight_ = 0;  // requests with the others
  std::vector<TxnFacts> transactions_;
  std::uint64_t committed_ = 0;
  bool finishing_ = false;
  bool done_ = false;
};

}  // namespace sim
