// ConsumerGroupDescribe 0-1, for one group.
#include <utility>

#include "broker/group/group_coordinator.h"

namespace broker::group {
namespace {

using Described = wire::ConsumerGroupDescribeResponse;

// A member's kind.
constexpr std::int8_t kClassicMember = 0;
constexpr std::int8_t kConsumerMember = 1;

template <class Range, class ToPartition>
Described::Assignment described(const Range& partitions, const Topics& topics, ToPartition at_of) {
  Described::Assignment out;
  for (const auto& each : partitions) {
    const PartitionId& at = at_of(each);
    const bool is_same =
        !out.topic_partitions.empty() && out.topic_partitions.back().topic_id == at.topic_id;
    if (!is_same) {
      // Of a topic that is gone there is no more to be said.
      const auto name = topics.name_of(at.topic_id);
      if (!name) continue;
      auto& topic = out.topic_partitions.emplace_back();
      topic.topic_id = at.topic_id;
      topic.topic_name = *name;
    }
    out.topic_partitions.back().partitions.push_back(at.partition);
  }
  return out;
}

Described::Member described(const ConsumerGroup& group, const ConsumerMember& member,
                            const Topics& topics) {
  Described::Member out{.member_id = member.id,
                        .instance_id = member.instance_id,
                        .rack_id = member.rack,
                        .member_epoch = member.epoch,
                        .client_id = member.client_id,
                        .client_host = member.client_host,
                        .subscribed_topic_names = {member.topics.begin(), member.topics.end()},
                        .subscribed_topic_regex = member.expression,
                        .assignment = {},
                        .target_assignment = {},
                        .member_type = member.classic ? kClassicMember : kConsumerMember};
  out.assignment = described(member.owned, topics,
                             [](const auto& each) -> const PartitionId& { return each.first; });
  const auto target = group.target.find(member.id);
  if (target == group.target.end()) return out;
  out.target_assignment = described(target->second, topics,
                                    [](const PartitionId& at) -> const PartitionId& { return at; });
  return out;
}

}  // namespace

void GroupCoordinator::handle(const Call& call, const DescribeConsumerGroup& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  const Group* group = find_group(request.group_id);
  DescribedConsumerGroup response;
  response.group.group_id = request.group_id;
  if (group == nullptr || !group->consumer) {
    response.group.error_code = wire::ErrorCode::kGroupIdNotFound;
    response.group.error_message = group == nullptr
                                       ? "Group " + request.group_id + " not found."
                                       : "Group " + request.group_id + " is not a consumer group.";
    return answer_after(last_append_, call.token, std::move(response), turn);
  }
  const ConsumerGroup& consumers = *group->consumer;
  response.group.group_state = consumers.state_name();
  response.group.group_epoch = consumers.epoch;
  response.group.assignment_epoch = consumers.target_epoch;
  response.group.assignor_name = consumers.preferred_assignor().value_or(
      std::string(name(config_.consumer_assignors.front())));
  for (const auto& [id_, member] : consumers.members) {
    response.group.members.push_back(described(consumers, member, *request.topics));
  }
  answer_after(group->last_append, call.token, std::move(response), turn);
}

}  // namespace broker::group
