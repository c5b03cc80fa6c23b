// Reads a set of partitions from their leaders: one long poll to each leader at a time, whoever
// answers first is read first. Blocking; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/client/cluster.h"
#include "cli/text/message.h"
#include "common/wire/msg/fetch_response.h"

namespace cli {

using TopicPartition = std::pair<std::string, std::int32_t>;

class Fetcher {
 public:
  struct Options {
    bool read_committed = true;
    std::chrono::milliseconds long_poll{500};
  };
  // Where one partition is read.
  struct Range {
    std::int64_t next = 0;
    std::optional<std::int64_t> end;       // done before this offset
    std::optional<base::WallMs> end_time;  // done at the first record not older
  };
  // Gets each record; its views live until return. False stops poll() behind that record.
  using Sink = std::function<bool(const Message&)>;
  // Gets a sentence when something unexpected was got over.
  using Warn = std::function<void(const std::string&)>;

  Fetcher(Cluster& cluster, Options options, Warn warn)
      : cluster_(cluster), options_(options), warn_(std::move(warn)) {}

  void assign(const TopicInfo& topic, std::int32_t partition, Range range);
  void clear();

  // Waits for records up to about `wait` and hands them on. Returns whether any came. Throws
  // Failure when a partition cannot be read for the cluster's timeout, and Interrupted.
  bool poll(std::chrono::milliseconds wait, const Sink& sink);

  // Every partition has reached its end.
  bool finished() const;
  // Where each partition goes on: what a group commits.
  std::map<TopicPartition, std::int64_t> positions() const;

 private:
  struct Partition {
    std::int32_t index = 0;
    Range range;
    bool done = false;
  };
  struct Topic {
    TopicInfo info;
    std::vector<Partition> partitions;
  };
  struct Pending {
    Connection* connection = nullptr;
    std::uint64_t assignment = 0;  // of clear(): an answer to an older one is dropped
  };

  void send_all(Deadline until);
  void send_to(std::int32_t leader, Deadline until);
  void take(std::int32_t leader, const Sink& sink, bool& got);
  bool take_partition(Topic& topic, Partition& partition,
                      const wire::FetchResponse::PartitionData& data, const Sink& sink, bool& got);
  bool take_records(Topic& topic, Partition& partition,
                    const wire::FetchResponse::PartitionData& data, const Sink& sink, bool& got);
  void out_of_range(Topic& topic, Partition& partition);
  Topic* find_topic(const wire::FetchResponse::FetchableTopicResponse& answered);
  void note(const Trouble& trouble);
  void refresh(Deadline until);

  Cluster& cluster_;
  Options options_;
  Warn warn_;
  std::map<std::string, Topic> topics_;
  std::map<std::int32_t, Pending> pending_;  // by leader
  std::uint64_t assignment_ = 0;
  std::size_t turn_ = 0;
  bool stale_ = false;
  std::optional<Deadline> patience_;  // since the first of the troubles without a success between
};

}  // namespace cli
