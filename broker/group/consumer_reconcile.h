// Moves one member of a consumer group one step towards its target assignment: first it gives back
// what it is not to have, then it gets what nobody else holds. Pure: a member in, a member out.
#pragma once

#include <optional>

#include "broker/group/consumer_group.h"

namespace broker::group {

// `reported`: what the member says it owns, when it says so.
ConsumerMember reconciled(const ConsumerGroup& group, const ConsumerMember& member,
                          const std::optional<Partitions>& reported);

}  // namespace broker::group
