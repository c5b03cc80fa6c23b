// Kafka's "range" assignment: each topic's partitions are cut into runs, one for each member that
// reads the topic, in order of member; the first members get one more when it does not come out
// even. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct Subscriber {
  std::string member_id;
  std::optional<std::string> instance_id;  // static members are ordered by it
  std::vector<std::string> topics;
};

// Topic → partitions.
using Assignment = std::map<std::string, std::vector<std::int32_t>>;

// An assignment for every member, also when it is empty. Topics without a count are left out.
std::map<std::string, Assignment> assign_ranges(
    const std::vector<Subscriber>& members,
    const std::map<std::string, std::int32_t>& partition_counts);

}  // namespace cli
