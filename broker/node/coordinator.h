// The group coordinators of this broker: one shard for each partition of __consumer_offsets that it
// leads. Routes requests to shards, makes the topic when it is first needed, and follows the
// metadata. docs/groups.md.
//
//   handler (any reactor) -> ask() -> the shard's reactor -> core -> append, commit -> back
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/group/group_coordinator.h"
#include "broker/node/node.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/meta/delta.h"
#include "common/wire/error_code.h"

namespace broker {

class CoordinatorShard;
class Partition;
class CoordinatorTopic;

// One request for one group, or for one shard (ListGroups).
using GroupRequest =
    std::variant<wire::JoinGroupRequest, wire::SyncGroupRequest, wire::HeartbeatRequest,
                 wire::LeaveGroupRequest, group::CommitOffsets, group::FetchOffsets,
                 group::ListGroups, group::DescribeGroup, group::DeleteGroup, group::DeleteOffsets,
                 group::EndTransaction, group::ConsumerHeartbeat, group::DescribeConsumerGroup>;

// The shard's answer, or why no shard could be asked: COORDINATOR_LOAD_IN_PROGRESS,
// COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
using GroupAnswer = std::expected<group::Response, wire::ErrorCode>;
using GroupDone = std::move_only_function<void(GroupAnswer)>;

// Who asks.
struct GroupCaller {
  std::int16_t version = 0;
  std::string client_id;
  std::string client_host;
  io::Executor* back = nullptr;  // where the answer is given
};

class GroupCoordinators {
 public:
  GroupCoordinators(Node& node, base::Random random);
  ~GroupCoordinators();
  GroupCoordinators(const GroupCoordinators&) = delete;
  GroupCoordinators& operator=(const GroupCoordinators&) = delete;

  // Home. In order, after hosting was told of the same change.
  void on_change(const meta::ImagePtr& before, const meta::ImagePtr& after,
                 const meta::Delta& delta);
  // Home. Tells every waiting request NOT_COORDINATOR; nothing is asked afterwards.
  void stop();

  // Any thread. `done` comes once, on caller.back: from within this call or later.
  void ask(const std::string& group_id, GroupCaller caller, GroupRequest request, GroupDone done);
  // On caller.back. The same to every shard this broker has; `done` gets one answer each, in order
  // of partition.
  void ask_all(const GroupCaller& caller, const group::ListGroups& request,
               std::move_only_function<void(std::vector<GroupAnswer>)> done);

  // Any thread. Ends a producer's transaction in this partition of the offsets topic: the marker is
  // written and the offsets count, or not. `done` once, on `back`: committed, or why not.
  void end_transaction(std::int32_t partition, const group::EndTransaction& end, io::Executor& back,
                       std::move_only_function<void(wire::ErrorCode)> done);
  // Any thread. The partition that coordinates a group here; null when it is not here.
  std::shared_ptr<Partition> partition_of(std::string_view group_id) const;

  // Any thread. Where a group's coordinator is, the topic being made if there is none. `done` comes
  // once, on `back`.
  struct Place {
    wire::ErrorCode error = wire::ErrorCode::kNone;
    std::string message;
    base::BrokerId broker{-1};
  };
  void find(const std::string& group_id, io::Executor& back,
            std::move_only_function<void(Place)> done);

  // Any thread: sums over the shards.
  struct Totals {
    std::uint64_t shards = 0;
    std::uint64_t shards_loading = 0;
    std::uint64_t groups = 0;
    group::Stats stats;
  };
  Totals totals() const;

 private:
  using Shards = std::vector<std::shared_ptr<CoordinatorShard>>;  // by partition; null: not ours

  void update(const meta::ImagePtr& image);
  std::shared_ptr<CoordinatorShard> shard_of(std::string_view group_id) const;
  Place place_of(std::string_view group_id, const meta::Topic& topic,
                 const meta::Image& image) const;

  Node& node_;
  base::Random random_;
  std::atomic<std::shared_ptr<const Shards>> shards_;
  std::unique_ptr<CoordinatorTopic> topic_;
  std::shared_ptr<bool> alive_;  // home; false after stop()
  base::Timer unopened_;         // home; looks again for partitions that are not open yet
};

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

}  // namespace broker
