// The settings the group coordinator obeys, under Kafka's names and defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/group/consumer_assignor.h"
#include "common/base/time.h"

namespace broker::group {

// group.consumer.migration.policy: whether groups with members change their protocol.
enum class Migration { kDisabled, kUpgrade, kDowngrade, kBidirectional };

struct Config {
  base::Duration session_timeout_min = std::chrono::seconds(6);   // group.min.session.timeout.ms
  base::Duration session_timeout_max = std::chrono::minutes(30);  // group.max.session.timeout.ms
  base::Duration initial_rebalance_delay =
      std::chrono::seconds(3);  // group.initial.rebalance.delay.ms
  // moldau.group.initial.quiet.ms: a new group begins earlier than that when nobody has come for
  // this long. Nothing: it does not.
  std::optional<base::Duration> initial_quiet;
  std::int32_t group_size_max = 2'147'483'647;                    // group.max.size
  std::int32_t offset_metadata_bytes_max = 4'096;                 // offset.metadata.max.bytes
  base::Duration offsets_retention = std::chrono::hours(24 * 7);  // offsets.retention.minutes
  base::Duration offsets_retention_check =
      std::chrono::minutes(10);  // offsets.retention.check.interval.ms
  // Groups of the consumer protocol.
  base::Duration consumer_session_timeout =
      std::chrono::seconds(45);  // group.consumer.session.timeout.ms
  base::Duration consumer_heartbeat_interval =
      std::chrono::seconds(5);  // group.consumer.heartbeat.interval.ms
  // group.consumer.assignment.interval.ms: the shortest time between two targets of one group.
  base::Duration consumer_assignment_interval{};
  // While a group moves its members come sooner, so that each step of it does not take an interval:
  // all of them for a moment after the group epoch rose, then those who have not arrived. Of more
  // members than so many each comes later: 2,000 heartbeats a second in all.
  base::Duration consumer_hurried_interval = std::chrono::milliseconds(500);
  std::int64_t consumer_hurried_members = 1'000;
  base::Duration consumer_hurry_of_all = std::chrono::seconds(2);
  base::Duration consumer_hurry_of_late = std::chrono::seconds(30);
  std::int32_t consumer_group_size_max = 2'147'483'647;  // group.consumer.max.size
  // group.consumer.assignors, never empty: the first is for groups whose members name none.
  std::vector<Assignor> consumer_assignors = {Assignor::kUniform, Assignor::kRange};
  Migration migration = Migration::kBidirectional;
  bool may_upgrade() const {  // classic groups to consumer groups
    return migration == Migration::kUpgrade || migration == Migration::kBidirectional;
  }
  bool may_downgrade() const {
    return migration == Migration::kDowngrade || migration == Migration::kBidirectional;
  }
  // A change of the cluster's topics is looked at by one expression no sooner after the last.
  base::Duration expression_refresh_min = std::chrono::seconds(10);
  // max.message.bytes of __consumer_offsets: no batch of ours may be larger.
  std::size_t batch_bytes_max = 1'048'588;
  // A member that waits in its first JoinGroup cannot send heartbeats, and its broken connection
  // cannot be seen: after this long without a rebalance it is dropped and has to ask again.
  base::Duration new_member_join_timeout = std::chrono::minutes(5);
};

}  // namespace broker::group
