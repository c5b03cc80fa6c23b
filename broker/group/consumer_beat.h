// A heartbeat of the consumer protocol or a JoinGroup that is being decided, and what is wrong with
// one by itself.
// Internal to this folder; lives as long as one call of the core.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/group/config.h"
#include "broker/group/consumer_protocol.h"
#include "broker/group/group_coordinator.h"

namespace broker::group {

struct BeatRefusal {
  wire::ErrorCode error;
  std::string message;
};

// What no group has to be asked about: fields that contradict each other.
std::optional<BeatRefusal> invalid_beat(std::int16_t version,
                                        const wire::ConsumerGroupHeartbeatRequest& request,
                                        const Config& config);

// A classic group as the consumer group it becomes, with the records that make it one.
struct Upgrade {
  ConsumerGroup consumers;
  std::vector<Record> records;
};
// Or why it cannot: what to tell the member that would join.
std::expected<Upgrade, std::string> upgrade_of(const Group& group, const Topics& topics,
                                               base::WallMs wall_ms);

struct GroupCoordinator::Beat {
  const Call& call;
  const ConsumerHeartbeat& ask;
  Turn& turn;
  std::string member_id = {};
  std::optional<ConsumerMember::Classic> classic = {};  // it came as a JoinGroup
  std::optional<Upgrade> upgrade = {};                  // its group is to be changed first
  ConsumerMember before = {};                           // the member as it was found, or a new one
  bool raises_epoch = false;
  bool reads_less = false;  // a topic that it read before is not among its own any more
  std::vector<Record> records = {};
};

// A JoinGroup that is being decided, as this shard sees it.
struct GroupCoordinator::Joining {
  const Call& call;
  const wire::JoinGroupRequest& request;
  std::vector<Protocol> protocols;
  base::Duration session_timeout;
  base::Duration rebalance_timeout;  // version 0 has but one timeout

  const std::optional<std::string>& instance_id() const { return request.group_instance_id; }
  bool has_member_id() const { return !request.member_id.empty(); }
};

// Since version 4 a member first gets its id, then joins with it (KIP-394): a client that gives up
// waiting leaves no nameless member behind.
inline constexpr std::int16_t kMemberIdRequiredSince = 4;

// ---- conversions

// What the topics and partitions are called by those who know ids, and the other way around; what
// is gone is left out.
Partitions with_ids(const NamedPartitions& partitions, const Topics& topics);
NamedPartitions with_names(const Partitions& partitions, const Topics& topics);

}  // namespace broker::group
