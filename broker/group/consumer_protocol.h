// What classic members that are consumers say and hear inside JoinGroup and SyncGroup
// ("ConsumerProtocolSubscription" and "-Assignment", versions 0 to 3), which a coordinator has to
// understand once they share a group with members of the consumer protocol. Pure; what is malformed
// is nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace broker::group {

// Partition numbers by topic name.
using NamedPartitions = std::map<std::string, std::set<std::int32_t>, std::less<>>;

struct Subscription {
  std::int16_t version = 0;
  std::vector<std::string> topics;
  NamedPartitions owned;            // since version 1; eager members own nothing when they join
  std::optional<std::string> rack;  // since version 3
};
std::optional<Subscription> read_subscription(base::BytesView metadata);

struct NamedAssignment {
  NamedPartitions partitions;
  bool has_user_data = false;  // of an assignor that is not one of the clients' own
};
// No bytes: nothing is assigned.
std::optional<NamedAssignment> read_assignment(base::BytesView assignment);
// In the version that the member speaks.
base::Bytes write_assignment(std::int16_t version, const NamedPartitions& partitions);

}  // namespace broker::group
