// A heartbeat of the consumer protocol that is being decided, and what is wrong with one by itself.
// Internal to this folder; lives as long as one call of the core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/group/config.h"
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

struct GroupCoordinator::Beat {
  const Call& call;
  const ConsumerHeartbeat& ask;
  Turn& turn;
  std::string member_id = {};
  ConsumerMember before = {};  // the member as it was found, or a new one
  bool raises_epoch = false;
  std::vector<Record> records = {};
};

}  // namespace broker::group
