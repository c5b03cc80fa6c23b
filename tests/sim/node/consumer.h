// A consumer of all partitions of one topic: polls with a fetch session, checks that it misses
// nothing and that nothing it saw is otherwise later, commits offsets and reads them back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class Consumer {
 public:
  struct Options {
    std::string topic;
    std::int32_t partitions = 1;
    std::string group;  // empty: commits nothing
  };
  Consumer(Facts& facts, const std::string& name, Options options);

  void start();
  // As a process that ends and another that starts: goes on from what its group committed.
  void restart();
  // Asks for what its group committed, unless it is asking or committing just now.
  void find_committed_if_idle() {
    if (committer_.idle()) find_committed();
  }
  std::int64_t position(std::int32_t partition) const { return places_.at(partition).position; }
  std::uint64_t polled() const { return polled_; }
  std::uint64_t commits() const { return commits_; }
  // How often it was told what is committed.
  std::uint64_t found() const { return found_; }
  KafkaClient& client() { return client_; }

 private:
  struct Place {
    std::int64_t position = 0;
    std::int64_t told = -1;  // what the session believes
    PartitionHistory::Bounds asked;
  };
  void poll();
  void again_soon();
  void answered(const wire::FetchResponse* response);
  void take(std::int32_t partition, const wire::fetch_response_parts::PartitionData& data);
  void end_session();
  void commit();
  void find_committed();
  void find_coordinator();

  Facts& facts_;
  const Options options_;
  base::Random random_;
  KafkaClient client_;
  KafkaClient committer_;
  const std::int16_t version_;
  std::map<std::int32_t, Place> places_;
  std::int32_t session_id_ = 0;
  std::int32_t session_epoch_ = 0;
  std::uint64_t polled_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t found_ = 0;
  bool resuming_ = false;
};

// Everything that a partition holds, read from its start to its high watermark by a fresh client;
// nothing when that fails.
struct TopicContents {
  std::int64_t start = -1;
  std::int64_t high_watermark = -1;
  std::map<std::int64_t, Value> records;
  friend bool operator==(const TopicContents&, const TopicContents&) = default;
};
class Reader {
 public:
  Reader(Facts& facts, KafkaClient& client, std::string topic, std::int32_t partition)
      : facts_(facts), client_(client), topic_(std::move(topic)), partition_(partition) {}
  // Retries until it has all.
  void start() { find_start(); }
  bool done() const { return done_; }
  const TopicContents& contents() const { return contents_; }

 private:
  void find_start();
  void poll();
  void again(void (Reader::*step)());
  Facts& facts_;
  KafkaClient& client_;
  const std::string topic_;
  const std::int32_t partition_;
  TopicContents contents_;
  std::int64_t position_ = 0;
  bool done_ = false;
};

}  // namespace sim
