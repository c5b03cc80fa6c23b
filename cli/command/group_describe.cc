#include "cli/command/group_describe.h"

#include <fmt/format.h>

#include <map>

#include "cli/client/group_offsets.h"
#include "cli/client/offsets.h"
#include "cli/client/range_assignor.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"
#include "common/wire/msg/consumer_group_describe_request.h"
#include "common/wire/msg/consumer_group_describe_response.h"
#include "common/wire/msg/consumer_protocol_assignment.h"
#include "common/wire/msg/describe_groups_request.h"
#include "common/wire/msg/describe_groups_response.h"

namespace cli {
namespace {

using wire::ErrorCode;

struct MemberFacts {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  Assignment assignment;
};
struct PartitionFacts {
  std::optional<std::int64_t> committed;
  std::optional<std::int64_t> end;
  const MemberFacts* member = nullptr;

  // Nothing without both offsets; never negative, though the two are read one after the other.
  std::optional<std::int64_t> lag() const {
    if (!committed || !end) return std::nullopt;
    return std::max<std::int64_t>(*end - *committed, 0);
  }
};
struct GroupFacts {
  std::string name;
  std::string type;
  std::string state;
  std::string assignor;
  std::optional<std::int32_t> coordinator;
  std::vector<MemberFacts> members;
  std::map<TopicPartition, PartitionFacts> partitions;

  std::int64_t total_lag() const {
    std::int64_t total = 0;
    for (const auto& [where, partition] : partitions) total += partition.lag().value_or(0);
    return total;
  }
};

Assignment decode_assignment(const base::Bytes& bytes) {
  Assignment assignment;
  wire::ConsumerProtocolAssignment data;
  wire::Reader in(bytes);
  auto version = in.read_number<std::int16_t>("version");
  if (!in.ok() || version < 0) return assignment;
  if (!data.decode(in, std::min(version, wire::ConsumerProtocolAssignment::kVersionMax))) {
    return assignment;
  }
  for (const auto& topic : data.assigned_partitions) assignment[topic.topic] = topic.partitions;
  return assignment;
}

bool is_absent(const wire::DescribeGroupsResponse::DescribedGroup& group) {
  return group.error_code == ErrorCode::kGroupIdNotFound || group.group_state == "Dead";
}

// A group of the classic protocol, or nothing when there is none of that name.
std::optional<GroupFacts> describe_classic(Cluster& cluster, const std::string& name) {
  wire::DescribeGroupsRequest request;
  request.groups = {name};
  auto response = cluster.call<wire::DescribeGroupsResponse>(
      Target::coordinator(name), request,
      [&](const wire::DescribeGroupsResponse& answer) -> std::optional<Trouble> {
        if (answer.groups.empty())
          return Trouble{"group " + name + ": no answer about it", {}, true};
        const auto& group = answer.groups.front();
        if (group.error_code == ErrorCode::kNone || is_absent(group)) return std::nullopt;
        return refusal("group " + name, group.error_code, group.error_message);
      });
  const auto& group = response.groups.front();
  if (is_absent(group)) return std::nullopt;
  GroupFacts facts{
      .name = name, .type = "classic", .state = group.group_state, .assignor = group.protocol_data};
  for (const auto& member : group.members) {
    facts.members.push_back({.id = member.member_id,
                             .instance_id = member.group_instance_id,
                             .client_id = member.client_id,
                             .host = member.client_host,
                             .assignment = decode_assignment(member.member_assignment)});
  }
  return facts;
}

// A group of the consumer protocol (KIP-848), or nothing.
std::optional<GroupFacts> describe_consumer(Cluster& cluster, const std::string& name) {
  wire::ConsumerGroupDescribeRequest request;
  request.group_ids = {name};
  Target target = Target::coordinator(name);
  Deadline until = cluster.deadline();
  auto connection = cluster.connect(target, until);
  if (!connection ||
      !(*connection)->common_version(wire::ConsumerGroupDescribeRequest::kApiKey, {0, 1})) {
    return std::nullopt;
  }
  auto response = cluster.call<wire::ConsumerGroupDescribeResponse>(
      target, request,
      [&](const wire::ConsumerGroupDescribeResponse& answer) -> std::optional<Trouble> {
        if (answer.groups.empty())
          return Trouble{"group " + name + ": no answer about it", {}, true};
        const auto& group = answer.groups.front();
        if (group.error_code == ErrorCode::kNone ||
            group.error_code == ErrorCode::kGroupIdNotFound) {
          return std::nullopt;
        }
        return refusal("group " + name, group.error_code, group.error_message);
      });
  const auto& group = response.groups.front();
  if (group.error_code != ErrorCode::kNone) return std::nullopt;
  GroupFacts facts{.name = name,
                   .type = "consumer",
                   .state = group.group_state,
                   .assignor = group.assignor_name};
  for (const auto& member : group.members) {
    MemberFacts entry{.id = member.member_id,
                      .instance_id = member.instance_id,
                      .client_id = member.client_id,
                      .host = member.client_host,
                      .assignment = {}};
    for (const auto& topic : member.assignment.topic_partitions) {
      entry.assignment[topic.topic_name] = topic.partitions;
    }
    facts.members.push_back(std::move(entry));
  }
  return facts;
}

// Ends of the partitions; those of a topic that is gone stay unknown.
void fill_ends(Cluster& cluster, GroupFacts& facts) {
  std::map<std::string, std::vector<std::optional<std::int64_t>>> ends;
  for (auto& [where, partition] : facts.partitions) {
    auto known = ends.find(where.first);
    if (known == ends.end()) {
      auto topic = cluster.try_topic(where.first, false, cluster.deadline());
      std::vector<std::optional<std::int64_t>> found;
      if (topic) found = list_offsets_leniently(cluster, *topic, kLatest);
      known = ends.emplace(where.first, std::move(found)).first;
    }
    auto index = static_cast<std::size_t>(where.second);
    if (index < known->second.size()) partition.end = known->second[index];
  }
}

GroupFacts gather(Cluster& cluster, const std::string& name) {
  auto found = describe_classic(cluster, name);
  if (!found) found = describe_consumer(cluster, name);
  if (!found) {
    throw Failure(fmt::format("group {} does not exist", name),
                  std::string(hint_for(ErrorCode::kGroupIdNotFound)));
  }
  GroupFacts facts = std::move(*found);
  facts.coordinator = cluster.known_coordinator(name);
  for (const auto& [where, committed] : fetch_committed(cluster, name, false)) {
    facts.partitions[where].committed = committed.offset;
  }
  for (const MemberFacts& member : facts.members) {
    for (const auto& [topic, partitions] : member.assignment) {
      for (std::int32_t partition : partitions) {
        facts.partitions[{topic, partition}].member = &member;
      }
    }
  }
  fill_ends(cluster, facts);
  return facts;
}

Json json_of(const std::optional<std::int64_t>& number) {
  return number ? Json(*number) : Json(nullptr);
}
Json json_of(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }

Json to_json(const GroupFacts& facts) {
  Json members = Json::array();
  for (const MemberFacts& member : facts.members) {
    members.push_back({{"member_id", member.id},
                       {"instance_id", json_of(member.instance_id)},
                       {"client_id", member.client_id},
                       {"host", member.host},
                       {"assignment", member.assignment}});
  }
  Json partitions = Json::array();
  for (const auto& [where, partition] : facts.partitions) {
    partitions.push_back(
        {{"topic", where.first},
         {"partition", where.second},
         {"current_offset", json_of(partition.committed)},
         {"log_end_offset", json_of(partition.end)},
         {"lag", json_of(partition.lag())},
         {"member_id", partition.member ? Json(partition.member->id) : Json(nullptr)}});
  }
  return {{"group", facts.name},
          {"type", facts.type},
          {"state", facts.state},
          {"assignor", facts.assignor},
          {"coordinator", facts.coordinator ? Json(*facts.coordinator) : Json(nullptr)},
          {"total_lag", facts.total_lag()},
          {"members", std::move(members)},
          {"partitions", std::move(partitions)}};
}

std::string text_of(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

Table partition_table(const GroupFacts& facts) {
  Table table({{"GROUP"},
               {"TOPIC"},
               {"PARTITION", true},
               {"CURRENT-OFFSET", true},
               {"LOG-END-OFFSET", true},
               {"LAG", true},
               {"CONSUMER-ID"},
               {"HOST"},
               {"CLIENT-ID"}});
  for (const auto& [where, partition] : facts.partitions) {
    const MemberFacts* member = partition.member;
    table.add({facts.name, where.first, std::to_string(where.second), text_of(partition.committed),
               text_of(partition.end), text_of(partition.lag()), member ? member->id : "-",
               member ? member->host : "-", member ? member->client_id : "-"});
  }
  return table;
}

Table member_table(const GroupFacts& facts) {
  Table table({{"GROUP"},
               {"CONSUMER-ID"},
               {"INSTANCE-ID"},
               {"HOST"},
               {"CLIENT-ID"},
               {"PARTITIONS", true},
               {"ASSIGNMENT"}});
  for (const MemberFacts& member : facts.members) {
    std::size_t count = 0;
    std::vector<std::string> parts;
    for (const auto& [topic, partitions] : member.assignment) {
      count += partitions.size();
      parts.push_back(fmt::format("{}({})", topic, joined(partitions)));
    }
    table.add({facts.name, member.id, member.instance_id.value_or("-"), member.host,
               member.client_id, std::to_string(count), joined(parts)});
  }
  return table;
}

std::string to_text(const GroupFacts& facts, bool members, bool color) {
  Facts head;
  head.add("Group", facts.name);
  head.add("Type", facts.type);
  head.add("State", facts.state);
  if (!facts.assignor.empty()) head.add("Assignor", facts.assignor);
  if (facts.coordinator) head.add("Coordinator", fmt::format("broker {}", *facts.coordinator));
  head.add("Members", human_count(static_cast<std::int64_t>(facts.members.size())));
  head.add("Total lag", human_count(facts.total_lag()));
  Table table = members ? member_table(facts) : partition_table(facts);
  return head.draw(color) + (table.empty() ? "" : "\n" + table.draw(color));
}

}  // namespace

void describe_groups(const DescribeGroupOptions& options, Context& context) {
  Json json = Json::array();
  std::string text;
  for (const std::string& name : options.names) {
    GroupFacts facts = gather(context.cluster(), name);
    if (context.json()) {
      json.push_back(to_json(facts));
    } else {
      if (!text.empty()) text += '\n';
      text += to_text(facts, options.members, context.color());
    }
  }
  if (context.json()) return context.print_json(json);
  context.print(text);
}

}  // namespace cli
