#include "broker/group/consumer_group.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace broker::group {
namespace {

using wire::ConsumerGroupCurrentMemberAssignmentValue;

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};

OwnedPartitions read(
    const std::vector<ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions>& topics,
    std::int32_t member_epoch) {
  OwnedPartitions out;
  for (const auto& topic : topics) {
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      // Before Kafka kept them, nothing is known but the member's own epoch.
      const bool has_epoch = topic.assignment_epochs && i < topic.assignment_epochs->size();
      out.insert_or_assign({topic.topic_id, topic.partitions[i]},
                           has_epoch ? (*topic.assignment_epochs)[i] : member_epoch);
    }
  }
  return out;
}

std::vector<ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> write(
    const OwnedPartitions& partitions) {
  std::vector<ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> out;
  for (const auto& [at, epoch] : partitions) {
    if (out.empty() || out.back().topic_id != at.topic_id) {
      out.emplace_back().topic_id = at.topic_id;
      out.back().assignment_epochs.emplace();
    }
    out.back().partitions.push_back(at.partition);
    out.back().assignment_epochs->push_back(epoch);
  }
  return out;
}

ConsumerMemberState read_state(std::int8_t state) {
  if (state == static_cast<std::int8_t>(ConsumerMemberState::kUnrevoked)) {
    return ConsumerMemberState::kUnrevoked;
  }
  // A state we do not know is looked at anew with the member's next heartbeat.
  return state == 0 ? ConsumerMemberState::kStable : ConsumerMemberState::kUnreleased;
}

}  // namespace

bool ConsumerMember::holds_any(const Partitions& partitions) const {
  return std::ranges::any_of(partitions, [&](const PartitionId& at) {
    return owned.contains(at) || revoking.contains(at);
  });
}

bool ConsumerRecord::is_tombstone() const {
  return std::visit([](const auto& each) { return !each.has_value(); }, value);
}

bool ConsumerRecord::ends_group() const {
  const auto* metadata = std::get_if<Metadata>(&value);
  return metadata != nullptr && !metadata->has_value();
}

void ConsumerGroup::apply(const ConsumerRecord& record) {
  std::visit(
      Match{[&](const ConsumerRecord::Metadata& value) {
              CHECK(value.has_value());  // else the group goes, which is its owner's to do
              epoch = value->epoch;
              metadata_hash = value->metadata_hash;
            },
            [&](const ConsumerRecord::MemberMetadata& value) { apply_member(record.name, value); },
            [&](const ConsumerRecord::TargetMetadata& value) {
              target_epoch = value ? value->assignment_epoch : 0;
              target_ms = value ? value->assignment_timestamp : 0;
            },
            [&](const ConsumerRecord::TargetMember& value) {
              if (!value) return target.erase(record.name), void();
              Partitions& partitions = target[record.name];
              partitions.clear();
              for (const auto& topic : value->topic_partitions) {
                for (const std::int32_t each : topic.partitions) {
                  partitions.insert({topic.topic_id, each});
                }
              }
            },
            [&](const ConsumerRecord::Current& value) { apply_current(record.name, value); },
            [&](const ConsumerRecord::Expression& value) {
              looked.erase(record.name);
              if (!value) return expressions.erase(record.name), void();
              expressions.insert_or_assign(
                  record.name,
                  ResolvedExpression{.topics = {value->topics.begin(), value->topics.end()},
                                     .version = value->version,
                                     .at_ms = value->timestamp});
            }},
      record.value);
}

ConsumerMember& ConsumerGroup::make_member(const std::string& member_id) {
  auto [it, fresh] = members.try_emplace(member_id);
  if (fresh) it->second.id = member_id;
  return it->second;
}

void ConsumerGroup::set_held(const ConsumerMember& member, int by) {
  auto count = [&](const PartitionId& at) {
    auto it = held_.try_emplace(at, 0).first;
    it->second += by;
    if (it->second == 0) held_.erase(it);
  };
  for (const auto& [at, epoch_] : member.owned) count(at);
  for (const auto& [at, epoch_] : member.revoking) count(at);
}

void ConsumerGroup::apply_member(const std::string& member_id,
                                 const ConsumerRecord::MemberMetadata& value) {
  const auto known = members.find(member_id);
  if (known != members.end() && known->second.instance_id) {
    const auto instance = static_members.find(*known->second.instance_id);
    const bool is_its = instance != static_members.end() && instance->second == member_id;
    if (is_its) static_members.erase(instance);
  }
  if (!value) {
    if (known == members.end()) return;
    set_held(known->second, -1);
    members.erase(known);
    return;
  }
  ConsumerMember& member = make_member(member_id);
  member.instance_id = value->instance_id;
  member.rack = value->rack_id;
  member.client_id = value->client_id;
  member.client_host = value->client_host;
  member.topics = {value->subscribed_topic_names.begin(), value->subscribed_topic_names.end()};
  member.expression = value->subscribed_topic_regex;
  if (member.expression && member.expression->empty()) member.expression.reset();
  member.rebalance_timeout_ms = value->rebalance_timeout_ms;
  member.assignor = value->server_assignor;
  member.classic = value->classic_member_metadata;
  if (member.instance_id) static_members[*member.instance_id] = member_id;
}

void ConsumerGroup::apply_current(const std::string& member_id,
                                  const ConsumerRecord::Current& value) {
  const auto known = members.find(member_id);
  if (!value && known == members.end()) return;
  ConsumerMember& member = make_member(member_id);
  set_held(member, -1);
  if (value) {
    member.epoch = value->member_epoch;
    member.previous_epoch = value->previous_member_epoch;
    member.state = read_state(value->state);
    member.owned = read(value->assigned_partitions, value->member_epoch);
    member.revoking = read(value->partitions_pending_revocation, value->member_epoch);
  } else {
    member.epoch = kLeaveEpoch;
    member.previous_epoch = kLeaveEpoch;
    member.state = ConsumerMemberState::kStable;
    member.owned.clear();
    member.revoking.clear();
  }
  set_held(member, 1);
}

const ConsumerMember* ConsumerGroup::find(std::string_view member_id) const {
  const auto it = members.find(member_id);
  return it == members.end() ? nullptr : &it->second;
}

const ConsumerMember* ConsumerGroup::find_static(std::string_view instance_id) const {
  const auto it = static_members.find(instance_id);
  return it == static_members.end() ? nullptr : find(it->second);
}

std::set<std::string, std::less<>> ConsumerGroup::topics_of(const ConsumerMember& member) const {
  auto topics = member.topics;
  if (!member.expression) return topics;
  const auto it = expressions.find(*member.expression);
  if (it != expressions.end()) topics.insert(it->second.topics.begin(), it->second.topics.end());
  return topics;
}

bool ConsumerGroup::is_subscribed_to(std::string_view topic) const {
  return std::ranges::any_of(
             members, [&](const auto& each) { return each.second.topics.contains(topic); }) ||
         std::ranges::any_of(expressions,
                             [&](const auto& each) { return each.second.topics.contains(topic); });
}

bool ConsumerGroup::uses_expression(std::string_view expression) const {
  return std::ranges::any_of(
      members, [&](const auto& each) { return each.second.expression == expression; });
}

bool ConsumerGroup::is_all_classic() const {
  return !members.empty() && std::ranges::all_of(members, [](const auto& each) {
    return each.second.classic.has_value();
  });
}

bool ConsumerGroup::supports_classic(const std::vector<std::string>& protocols) const {
  return std::ranges::any_of(protocols, [&](const std::string& protocol) {
    return std::ranges::all_of(members, [&](const auto& each) {
      const auto& classic = each.second.classic;
      return !classic ||
             std::ranges::any_of(classic->supported_protocols,
                                 [&](const auto& offered) { return offered.name == protocol; });
    });
  });
}

bool ConsumerGroup::waits_for_others(const ConsumerMember& member) const {
  const auto wanted = target.find(member.id);
  if (wanted == target.end()) return false;
  return std::ranges::any_of(wanted->second, [&](const PartitionId& at) {
    return !member.owned.contains(at) && is_held(at);
  });
}

std::string_view ConsumerGroup::state_name() const {
  if (members.empty()) return "Empty";
  if (epoch > target_epoch) return "Assigning";
  const bool is_stable = std::ranges::all_of(members, [&](const auto& each) {
    return each.second.state == ConsumerMemberState::kStable && each.second.epoch == target_epoch;
  });
  return is_stable ? "Stable" : "Reconciling";
}

std::optional<std::string> ConsumerGroup::preferred_assignor() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id_, member] : members) {
    if (member.assignor) ++votes[*member.assignor];
  }
  const auto best =
      std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
  if (best == votes.end()) return std::nullopt;
  return std::string(best->first);
}

void ConsumerGroup::check() const {
  std::map<PartitionId, std::int32_t> held;
  for (const auto& [member_id, member] : members) {
    CHECK(member.id == member_id);
    for (const auto& [at, epoch_] : member.owned) ++held[at];
    for (const auto& [at, epoch_] : member.revoking) ++held[at];
    if (member.instance_id) CHECK(static_members.contains(*member.instance_id));
  }
  CHECK(held == held_);
  for (const auto& [at_, count] : held) CHECK(count == 1);
  for (const auto& [instance, member_id] : static_members) {
    const ConsumerMember* member = find(member_id);
    CHECK(member != nullptr && member->instance_id == instance);
  }
  CHECK(target_epoch <= epoch);
}

ConsumerRecord::MemberMetadata member_metadata_of(const ConsumerMember& member) {
  return wire::ConsumerGroupMemberMetadataValue{
      .instance_id = member.instance_id,
      .rack_id = member.rack,
      .client_id = member.client_id,
      .client_host = member.client_host,
      .subscribed_topic_names = {member.topics.begin(), member.topics.end()},
      .subscribed_topic_regex = member.expression,
      .rebalance_timeout_ms = member.rebalance_timeout_ms,
      .server_assignor = member.assignor,
      .classic_member_metadata = member.classic};
}

ConsumerRecord::Current current_of(const ConsumerMember& member) {
  return ConsumerGroupCurrentMemberAssignmentValue{
      .member_epoch = member.epoch,
      .previous_member_epoch = member.previous_epoch,
      .state = static_cast<std::int8_t>(member.state),
      .assigned_partitions = write(member.owned),
      .partitions_pending_revocation = write(member.revoking)};
}

ConsumerRecord::TargetMember target_of(const Partitions& partitions) {
  wire::ConsumerGroupTargetAssignmentMemberValue value;
  for (const PartitionId& at : partitions) {
    if (value.topic_partitions.empty() || value.topic_partitions.back().topic_id != at.topic_id) {
      value.topic_partitions.emplace_back().topic_id = at.topic_id;
    }
    value.topic_partitions.back().partitions.push_back(at.partition);
  }
  return value;
}

}  // namespace broker::group
