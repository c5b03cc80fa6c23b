// Tells the controller how large the replicas of this broker are, for balancing by bytes and for
// the progress of moves: in its heartbeats, and only what has changed by much, so that an idle
// broker tells nothing. Home executor.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker/node/partition_table.h"
#include "common/base/uuid.h"

namespace proto {
class HeartbeatRequest;
class HeartbeatReply;
}  // namespace proto

namespace broker {

class SizeReport {
 public:
  // Replicas looked at for one heartbeat: it stays small, and all have their turn after a while.
  static constexpr std::size_t kLookedAtMax = 500;

  // It outlives this.
  explicit SizeReport(const PartitionTable& table) : table_(table) {}

  void describe(proto::HeartbeatRequest& request);
  // What came of the heartbeat with it; null: nobody knows.
  void on_reply(const proto::HeartbeatReply* reply);

 private:
  using Key = std::pair<base::Uuid, std::int32_t>;  // topic and partition
  struct Looked {
    Key key;
    std::weak_ptr<Partition> partition;  // gone: told as 0
  };
  void begin_round();
  void look_at(const Looked& looked, proto::HeartbeatRequest& request);

  const PartitionTable& table_;
  std::map<Key, std::int64_t> told_;
  std::vector<Looked> round_;  // still to be looked at, the next one last
  bool first_ = true;
  bool all_ = false;  // a round has ended since the first
};

}  // namespace broker
