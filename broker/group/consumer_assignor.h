// Shares the partitions of topics out to the members of a consumer group, as
// group.consumer.assignors names it. Pure; the same input gives the same assignment.
//
//   uniform  members with equal subscriptions get equally many partitions, give or take one; what a
//            member has it keeps as far as that allows; new partitions go to members of the rack of
//            a replica first. With differing subscriptions: as equal as they allow.
//   range    topic by topic: each member gets a stretch of neighbouring partitions, members in
//   order
//            of their (instance or member) ids.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/group/consumer_group.h"

namespace broker::group {

enum class Assignor { kUniform, kRange };

std::optional<Assignor> find_assignor(std::string_view name);
std::string_view name(Assignor assignor);

struct AssignmentTopic {
  base::Uuid id;
  std::int32_t partitions = 0;
};
struct AssignmentMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack;
  std::vector<AssignmentTopic> topics;  // existing ones it subscribes to, by id, each once
  Partitions current;                   // its last target
};
// Racks of a partition's replicas; empty: not known.
using RacksOf = std::function<std::vector<std::string>(const PartitionId&)>;

// By member id, one entry for each member.
std::map<std::string, Partitions> assign_partitions(Assignor assignor,
                                                    const std::vector<AssignmentMember>& members,
                                                    const RacksOf& racks_of);

}  // namespace broker::group
