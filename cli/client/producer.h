// Sends records to one topic: collects them into a batch for each partition and sends those when
// enough is there or when asked. Blocking; one thread. At least once: a batch whose answer was lost
// is sent again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/client/cluster.h"
#include "cli/text/message.h"
#include "common/record/builder.h"

namespace cli {

// What became of one record.
struct Delivery {
  std::uint64_t index = 0;  // in the order of add(), from 0
  std::int32_t partition = 0;
  std::optional<std::int64_t> offset;  // unknown with acks=0
  base::WallMs timestamp = 0;
};

class Producer {
 public:
  struct Options {
    std::int16_t acks = -1;
    record::Codec codec = record::Codec::kNone;
  };
  using Delivered = std::function<void(const Delivery&)>;

  // Finds the topic, which the broker may create. `delivered` is called as answers come. Throws
  // Failure, as all of this does.
  Producer(Cluster& cluster, const std::string& topic, Options options, Delivered delivered);

  // `now` stamps a record without a time of its own. Sends when a batch is full.
  void add(Outgoing record, base::WallMs now);
  // Sends all there is and waits for the answers.
  void flush();
  // After the last flush() with acks=0: waits until the brokers have read everything.
  void drain();

  bool empty() const { return pending_bytes_ == 0; }
  std::uint64_t added() const { return added_; }
  std::uint64_t delivered() const { return delivered_count_; }

 private:
  struct Batch {
    std::int32_t partition = 0;
    base::Bytes bytes;
    std::vector<std::uint64_t> indexes;
    std::vector<base::WallMs> timestamps;
  };
  struct Open {
    record::BatchBuilder builder;
    std::vector<std::uint64_t> indexes;
    std::vector<base::WallMs> timestamps;
  };

  std::int32_t choose_partition(const Outgoing& record);
  void pick_sticky();
  void close(std::int32_t partition, Open& open);
  Try<bool> send_all(Deadline until);
  std::optional<Trouble> send_to(Connection& connection, const std::vector<Batch*>& batches,
                                 Deadline until);
  std::optional<Trouble> take_answers(Connection& connection, const std::vector<Batch*>& batches,
                                      Deadline until);
  std::optional<Trouble> settle(Batch& batch, wire::ErrorCode code,
                                const std::optional<std::string>& message, std::int64_t base_offset,
                                base::WallMs log_append_time);
  bool split(Batch& batch);
  record::BatchOptions batch_options() const;

  Cluster& cluster_;
  Options options_;
  Delivered delivered_;
  TopicInfo topic_;
  base::Random random_;
  std::int32_t sticky_ = 0;
  std::map<std::int32_t, Open> open_;
  std::size_t pending_bytes_ = 0;
  std::vector<Batch> closed_;
  std::vector<Batch> halves_;  // of batches that were too large, for the next round
  std::set<std::int32_t> used_brokers_;
  bool stale_topic_ = false;
  std::uint64_t added_ = 0;
  std::uint64_t delivered_count_ = 0;
};

}  // namespace cli
